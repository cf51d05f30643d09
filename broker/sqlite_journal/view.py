"""Reads the rows of a journal in an SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from broker.journal_rows import FactRow, TaskRow
from broker.listed_view import ListedView
from broker.sqlite_journal import lists
from broker.sqlite_journal.file import damaged, failure, open_to_read
from protocol.task import ENDED_STATES, TaskState

# JSON is read as bytes, because SQLite's driver would raise an error of its own for text that is not UTF-8.
SELECT_FACTS = "SELECT seq, at_s, task_id, CAST(fact AS BLOB) FROM facts"
SELECT_TASKS = "SELECT task_id, CAST(task AS BLOB) FROM tasks"

#: The highest number of a fact that is not there, although later ones are. Only deleting makes such gaps.
HIGHEST_GAP = """
    SELECT coalesce(max(later.seq) - 1, 0) FROM facts AS later LEFT JOIN facts AS earlier ON earlier.seq = later.seq - 1
    WHERE earlier.seq IS NULL AND later.seq > 1
"""
LIVE = tuple(state.value for state in TaskState if state not in ENDED_STATES)
ENDED = tuple(state.value for state in TaskState if state in ENDED_STATES)
#: Room for the indexes of some 100,000 tasks.
CACHE_KB = 32 * 1024


class SqliteView(ListedView):
    """See JournalView. `db` is closed with it."""

    lists = lists

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path

    @classmethod
    def of_file(cls, path: Path) -> SqliteView:
        """Open the file for reading, also while a broker runs. Raises JournalError if there is none."""
        try:
            db = open_to_read(path)
            db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        except sqlite3.Error as error:
            raise failure(path, error) from error
        return cls(db, path)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise failure(self._path, error) from error

    def check_whole(self) -> None:
        with self.snapshot():
            (finding,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
            ((gap,),) = self._db.execute(HIGHEST_GAP)
            pruned, newest = self.pruned_up_to(), self.newest_seq()
        if finding == "ok" and not gap <= pruned <= newest:
            finding = f"facts up to {gap} are missing of {newest}, and those up to {pruned} count as deleted"
        if finding != "ok":
            raise damaged(self._path, finding)

    def newest_seq(self) -> int:
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'facts'").fetchone()
        ((highest,),) = self._db.execute("SELECT coalesce(max(seq), 0) FROM facts")
        # If SQLite's own number were damaged, facts would get numbers that are given already.
        return max(self._number(row[0]) if row else 0, self._number(highest), self.pruned_up_to())

    def pruned_up_to(self) -> int:
        row = self._db.execute("SELECT up_to FROM pruned").fetchone()
        return self._number(row[0] if row else None)

    def _number(self, value: object) -> int:
        """SQLite keeps any value in any column, so a flipped bit can make nothing of a number, or a text."""
        if not isinstance(value, int):
            raise damaged(self._path, f"a number of a fact is {value!r}")
        return value

    def newest_at_s(self) -> float | None:
        row = self._db.execute("SELECT at_s FROM facts ORDER BY seq DESC LIMIT 1").fetchone()
        return float(row[0]) if row else None

    def facts_after(self, seq: int, most: int) -> Iterable[FactRow]:
        return self._db.execute(f"{SELECT_FACTS} WHERE seq > ? ORDER BY seq LIMIT ?", (seq, most))

    def facts_of(self, task_id: str, after: int = 0, most: int | None = None) -> Iterable[FactRow]:
        return self._db.execute(
            f"{SELECT_FACTS} WHERE task_id = ? AND seq > ? ORDER BY seq LIMIT ?",
            (task_id, after, -1 if most is None else most),
        )

    def facts_before(self, task_id: str, seq: int) -> Iterable[FactRow]:
        return self._db.execute(f"{SELECT_FACTS} WHERE task_id = ? AND seq < ? ORDER BY seq DESC", (task_id, seq))

    def live_facts(self) -> Iterable[FactRow]:
        return self._db.execute(
            f"{SELECT_FACTS} JOIN tasks USING (task_id) WHERE state IN ({marks(LIVE)}) ORDER BY seq", LIVE
        )

    def tasks(self, task_ids: Sequence[str]) -> Iterator[TaskRow]:
        for task_id in task_ids:
            yield from self._db.execute(f"{SELECT_TASKS} WHERE task_id = ?", (task_id,))

    def recent_ended(self, most: int) -> Sequence[TaskRow]:
        return self._db.execute(
            f"{SELECT_TASKS} WHERE state IN ({marks(ENDED)}) ORDER BY ended_at_s DESC, task_id DESC LIMIT ?",
            (*ENDED, most),
        ).fetchall()

    def keyed_since(self, submitted_after_s: float) -> Iterable[TaskRow]:
        return self._db.execute(
            f"{SELECT_TASKS} WHERE request_key != '' AND submitted_at_s > ? ORDER BY submitted_at_s, task_id",
            (submitted_after_s,),
        )

    def _listed(self, query: lists.Query) -> Iterator[Any]:
        return self._db.execute(*query)


def marks(values: Sequence[str]) -> str:
    """The placeholders of SQL for these values: a question mark for each."""
    return ", ".join("?" * len(values))
