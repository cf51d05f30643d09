"""The journal: one SQLite file with every fact in order, and with each task as its facts have left it.

What `append` has written is durable when it returns. It costs one fsync for any number of facts (WAL,
synchronous=FULL). The facts are the truth. The `tasks` table is derived from them in the same transaction, for look-ups
and lists. Other processes, such as `python -m broker story`, may read at any time. journal_file.py checks the file
itself.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from broker.events import Recovered
from broker.facts import Record
from broker.journal_file import (
    JournalError,
    hold_lock,
    note_made,
    open_journal,
    open_to_read,
    refuse_unreadable,
    refuse_vanished,
)
from broker.journal_rows import (
    REPLACE_METADATA,
    REPLACE_TASK,
    SELECT_FACTS,
    SELECT_TASKS,
    fact_row,
    metadata_rows,
    record_of,
    task_of,
    task_row,
)
from broker.past_events import newest_seq
from conf.folder_sync import make_folders
from protocol.task import ENDED_STATES, Task, TaskState

log = logging.getLogger("broker")

_LIVE = tuple(state.value for state in TaskState if state not in ENDED_STATES)
_ENDED = tuple(state.value for state in ENDED_STATES)
PRUNED_A_CALL = 500


class Journal:
    """The only writer of a journal. Use it as a context manager, or call `close`."""

    def __init__(self, path: Path) -> None:
        """Open the file at `path`. Create it if there has never been one. Raises JournalError if that is impossible."""
        self.path = path
        self._unreadable: set[str] = set()
        try:
            make_folders(path.parent, 0o700)
            self._lock_fd = hold_lock(path)
        except OSError as error:
            raise JournalError(f"Cannot open the journal {path}: {error}") from error
        try:
            refuse_unreadable(path)
            refuse_vanished(path)
            self._db = open_journal(path)
            note_made(self._lock_fd)
        except (OSError, sqlite3.Error) as error:
            os.close(self._lock_fd)
            raise JournalError(f"Cannot open the journal {path}: {error}") from error
        except JournalError:
            os.close(self._lock_fd)
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()
        os.close(self._lock_fd)

    def append(self, records: Sequence[Record], tasks: Iterable[Task]) -> None:
        """Write facts, and the tasks as they are after these facts, in one durable transaction.

        Raises sqlite3.Error if that fails. Nothing is written then, and the caller's state is ahead of the journal.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT INTO facts (seq, at_s, task_id, fact) VALUES (?, ?, ?, ?)",
                [fact_row(record) for record in records],
            )
            for task in tasks:
                self._db.execute(REPLACE_TASK, task_row(task))
                self._db.executemany(REPLACE_METADATA, metadata_rows(task))

    def recovered(self, recent_tasks: int, keyed_since_s: float) -> Recovered:
        """What a broker starts with.

        recent_tasks: how many ended tasks to read. keyed_since_s: request keys that are older than this are left out.
        """
        return Recovered(
            self.live_records(), self.last_seq(), self.recent_ended(recent_tasks), self.keyed_since(keyed_since_s)
        )

    def last_seq(self) -> int:
        """The number of the newest fact ever written, even if it has been pruned; 0 for a new journal."""
        return newest_seq(self._db)

    def live_records(self) -> list[Record]:
        """The facts of all tasks that have not ended, in order. A broker replays them when it starts.

        If one fact of a task cannot be read, the whole task is left out, so that the broker can serve the others.
        """
        rows = self._db.execute(
            f"{SELECT_FACTS} JOIN tasks USING (task_id) WHERE state IN ({_marks(_LIVE)}) ORDER BY seq", _LIVE
        )
        records: list[Record] = []
        unreadable: set[str] = set()
        for row in rows:
            try:
                records.append(record_of(row))
            except msgspec.DecodeError as error:
                unreadable.add(row[2])
                self._name_unreadable(row[2], error)
        return [record for record in records if record.task_id not in unreadable]

    def recent_ended(self, count: int) -> list[Task]:
        """The tasks that ended last, oldest first."""
        rows = self._db.execute(
            f"{SELECT_TASKS} WHERE state IN ({_marks(_ENDED)}) ORDER BY ended_at_s DESC LIMIT ?",
            (*_ENDED, count),
        ).fetchall()
        return self._tasks(reversed(rows))

    def keyed_since(self, submitted_after_s: float) -> list[Task]:
        """The tasks with a request key that were submitted after this time, oldest first."""
        rows = self._db.execute(
            f"{SELECT_TASKS} WHERE request_key != '' AND submitted_at_s > ? ORDER BY submitted_at_s",
            (submitted_after_s,),
        )
        return self._tasks(rows)

    def task(self, task_id: str) -> Task | None:
        """Return the task. None if it is unknown or its record cannot be read."""
        rows = self._db.execute(f"{SELECT_TASKS} WHERE task_id = ?", (task_id,))
        return next(iter(self._tasks(rows)), None)

    def prune(self, ended_before_s: float) -> int:
        """Delete up to PRUNED_A_CALL tasks that ended before this time. Returns how many were deleted.

        The highest number of a deleted fact is kept, so that readers of past events learn what they may have missed.
        """
        rows = self._db.execute(
            f"SELECT task_id FROM tasks WHERE state IN ({_marks(_ENDED)}) AND ended_at_s < ? LIMIT ?",
            (*_ENDED, ended_before_s, PRUNED_A_CALL),
        ).fetchall()
        if rows:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany(
                    "UPDATE pruned SET up_to = max(up_to, (SELECT coalesce(max(seq), 0) FROM facts WHERE task_id = ?))",
                    rows,
                )
                self._db.executemany("DELETE FROM facts WHERE task_id = ?", rows)
                self._db.executemany("DELETE FROM tasks WHERE task_id = ?", rows)
                self._db.executemany("DELETE FROM task_metadata WHERE task_id = ?", rows)
        return len(rows)

    def _tasks(self, rows: Iterable[tuple[str, bytes]]) -> list[Task]:
        """Decode rows of (task_id, task). Tasks that cannot be read are logged and left out."""
        tasks = []
        for task_id, text in rows:
            try:
                tasks.append(task_of(text))
            except msgspec.DecodeError as error:
                self._name_unreadable(task_id, error)
        return tasks

    def _name_unreadable(self, task_id: str, error: msgspec.DecodeError) -> None:
        if task_id not in self._unreadable:
            self._unreadable.add(task_id)
            log.error("action=journal.task_left_out task=%r reason='its record cannot be read: %s'", task_id, error)


def read_story(path: Path, task_id: str) -> list[Record]:
    """Read a task's facts in order, also while a broker runs. Raises JournalError if there is no journal at `path`."""
    try:
        with closing(open_to_read(path)) as db:
            rows = db.execute(f"{SELECT_FACTS} WHERE task_id = ? ORDER BY seq", (task_id,))
            return [record_of(row) for row in rows]
    except (sqlite3.Error, msgspec.DecodeError) as error:
        raise JournalError(f"Cannot read the journal {path}: {error}") from error


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
