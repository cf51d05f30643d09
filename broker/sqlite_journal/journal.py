"""The writer of a journal in an SQLite file.

A commit costs one fsync for any number of facts (WAL, synchronous=FULL). Other processes, such as `python -m broker
story`, may read at any time. file.py checks the file itself.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from broker.facts import Record
from broker.journal import PRUNED_A_CALL, Journal, JournalError, LeadershipLostError
from broker.journal_rows import fact_json, task_json
from broker.sqlite_journal.file import (
    failure,
    hold_lock,
    is_of_this_run,
    note_made,
    open_journal,
    refuse_unreadable,
    refuse_vanished,
)
from broker.sqlite_journal.view import ENDED, SqliteView
from conf.folder_sync import make_folders
from protocol.task import Task

INSERT_FACT = "INSERT INTO facts (seq, at_s, task_id, fact) VALUES (?, ?, ?, ?)"
REPLACE_TASK = "INSERT OR REPLACE INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
REPLACE_METADATA = "INSERT OR REPLACE INTO task_metadata VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


class SqliteJournal(Journal):
    def __init__(self, path: Path) -> None:
        """Open the file at `path`. Create it if there has never been one. Raises JournalError if that is impossible."""
        super().__init__()
        self.path = path
        try:
            make_folders(path.parent, 0o700)
            self._lock_fd = hold_lock(path)
        except OSError as error:
            raise JournalError(f"Cannot open the journal {path}: {error}") from error
        try:
            refuse_unreadable(path)
            refuse_vanished(path)
            self._db = open_journal(path, is_of_this_run(self._lock_fd))
            note_made(self._lock_fd)
        except (OSError, sqlite3.Error) as error:
            os.close(self._lock_fd)
            raise JournalError(f"Cannot open the journal {path}: {error}") from error
        except JournalError:
            os.close(self._lock_fd)
            raise
        self.view = SqliteView(self._db, path)

    def close(self) -> None:
        self._db.close()
        os.close(self._lock_fd)

    def confirm(self) -> None:
        """The lock of the file is this process's own until it ends."""

    def report_loss_to(self, take: Callable[[LeadershipLostError], None]) -> None:
        pass

    def open_view(self) -> SqliteView:
        return SqliteView.of_file(self.path)

    def append(self, records: Sequence[Record], tasks: Iterable[Task]) -> None:
        with self._transaction():
            self._db.executemany(
                INSERT_FACT, [(record.seq, record.at_s, record.task_id, fact_json(record)) for record in records]
            )
            for task in tasks:
                self._db.execute(REPLACE_TASK, task_row(task))
                self._db.executemany(REPLACE_METADATA, metadata_rows(task))

    def prune(self, ended_before_s: float) -> int:
        with self._transaction():
            rows: list[tuple[str]] = []
            for state in ENDED:
                rows += self._db.execute(
                    "SELECT task_id FROM tasks WHERE state = ? AND ended_at_s < ? "
                    "ORDER BY ended_at_s, submitted_at_s, task_id LIMIT ?",
                    (state, ended_before_s, PRUNED_A_CALL - len(rows)),
                )
            self._db.executemany(
                "UPDATE pruned SET up_to = max(up_to, (SELECT coalesce(max(seq), 0) FROM facts WHERE task_id = ?))",
                rows,
            )
            self._db.executemany("DELETE FROM facts WHERE task_id = ?", rows)
            self._db.executemany("DELETE FROM tasks WHERE task_id = ?", rows)
            self._db.executemany("DELETE FROM task_metadata WHERE task_id = ?", rows)
        return len(rows)

    def note_pruned(self, up_to: int) -> None:
        with self._transaction():
            self._db.execute("UPDATE pruned SET up_to = max(up_to, ?)", (up_to,))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                yield
        except sqlite3.Error as error:
            raise failure(self.path, error) from error


def task_row(task: Task) -> tuple[object, ...]:
    """The columns of `tasks`. All but its record serve to find the task."""
    spec = task.spec
    return (
        spec.task_id,
        spec.user_id,
        spec.project_id,
        task.state.value,
        spec.request_key,
        task.submitted_at_s,
        task.ended_at_s,
        task_json(task),
        spec.train_type,
        spec.retry_of,
        task.in_use_since_s,
    )


def metadata_rows(task: Task) -> list[tuple[object, ...]]:
    """The rows of `task_metadata`, which repeat what lists are filtered and ordered by."""
    spec = task.spec
    times = (task.submitted_at_s, task.ended_at_s)
    return [
        (spec.task_id, name, value, spec.user_id, spec.project_id, task.state.value, *times, spec.train_type)
        for name, value in spec.metadata.items()
    ]
