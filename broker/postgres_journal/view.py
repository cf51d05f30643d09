"""Reads the rows of a journal in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

from broker.journal import JournalError
from broker.journal_rows import FactRow, TaskRow
from broker.listed_view import ListedView
from broker.postgres_journal import lists
from broker.postgres_journal.connection import Connection, Place
from broker.postgres_journal.migrations import version_of
from protocol.task import ENDED_STATES, TaskState

SELECT_FACTS: LiteralString = "SELECT seq, at_s, task_id, fact FROM facts"

LIVE = [state.value for state in TaskState if state not in ENDED_STATES]
ENDED = [state.value for state in TaskState if state in ENDED_STATES]
#: The number of rows that are fetched at once. A row may be large, so this bounds the memory.
ROWS_AT_ONCE = 200


class PostgresView(ListedView):
    """See JournalView. `connection` is closed with it."""

    lists = lists

    def __init__(self, connection: Connection, place: Place) -> None:
        self._db = connection
        self._place = place

    @classmethod
    def of_place(cls, place: Place) -> PostgresView:
        connection = place.connect("reader")
        # A plan that fits all values of a query would be a bad one for most of them.
        connection.prepare_threshold = None
        # Each list can be read from an index. Without statistics of the tables, the planner may choose otherwise.
        try:
            with place.errors():
                connection.execute("SET enable_seqscan = off")
                connection.execute("SET enable_bitmapscan = off")
                if version_of(connection, place) == 0:
                    raise JournalError(f"There is no journal at {place.shown} (schema {place.schema}).")
        except JournalError:
            connection.close()
            raise
        return cls(connection, place)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with self._place.errors():
            self._db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                yield
            finally:
                if not self._db.broken:
                    self._db.execute("ROLLBACK")

    def check_whole(self) -> None:
        """PostgreSQL compares the checksums of its pages whenever it reads one, if it was told to keep them."""

    def newest_seq(self) -> int:
        return self._number(
            "SELECT greatest(pruned_up_to, (SELECT coalesce(max(seq), 0) FROM facts)) FROM journal",
        )

    def pruned_up_to(self) -> int:
        return self._number("SELECT pruned_up_to FROM journal")

    def newest_at_s(self) -> float | None:
        row = self._db.execute("SELECT at_s FROM facts ORDER BY seq DESC LIMIT 1").fetchone()
        return float(row[0]) if row else None

    def facts_after(self, seq: int, most: int) -> Iterator[FactRow]:
        def part(last: int, count: int) -> list[FactRow]:
            return self._rows(f"{SELECT_FACTS} WHERE seq > %s ORDER BY seq LIMIT %s", last, count)

        return _in_parts(part, seq, most)

    def facts_of(self, task_id: str, after: int = 0, most: int | None = None) -> Iterator[FactRow]:
        def part(last: int, count: int) -> list[FactRow]:
            query: LiteralString = f"{SELECT_FACTS} WHERE task_id = %s AND seq > %s ORDER BY seq LIMIT %s"
            return self._rows(query, task_id, last, count)

        return _in_parts(part, after, most)

    def facts_before(self, task_id: str, seq: int) -> Iterator[FactRow]:
        def part(last: int, count: int) -> list[FactRow]:
            query: LiteralString = f"{SELECT_FACTS} WHERE task_id = %s AND seq < %s ORDER BY seq DESC LIMIT %s"
            return self._rows(query, task_id, last, count)

        # Most often the first few say enough.
        return _in_parts(part, seq, None, at_once=8)

    def live_facts(self) -> Iterator[FactRow]:
        with self._db.cursor("live facts") as cursor:
            cursor.itersize = ROWS_AT_ONCE
            yield from cursor.execute(
                "SELECT seq, at_s, task_id, fact FROM facts JOIN tasks USING (task_id) WHERE state = ANY(%s) "
                "ORDER BY seq",
                [LIVE],
            )

    def tasks(self, task_ids: Sequence[str]) -> Iterator[TaskRow]:
        for start in range(0, len(task_ids), ROWS_AT_ONCE):
            part = task_ids[start : start + ROWS_AT_ONCE]
            found = dict(self._rows("SELECT task_id, task FROM tasks WHERE task_id = ANY(%s)", list(part)))
            yield from ((task_id, found[task_id]) for task_id in part if task_id in found)

    def recent_ended(self, most: int) -> Sequence[TaskRow]:
        return self._rows(
            "SELECT task_id, task FROM tasks JOIN (SELECT task_id FROM tasks WHERE state = ANY(%s) "
            "ORDER BY ended_at_s DESC, task_id DESC LIMIT %s) AS recent USING (task_id) "
            "ORDER BY ended_at_s DESC, task_id DESC",
            ENDED,
            most,
        )

    def keyed_since(self, submitted_after_s: float) -> Iterable[TaskRow]:
        return self._rows(
            "SELECT task_id, task FROM tasks WHERE is_keyed AND submitted_at_s > %s ORDER BY submitted_at_s, task_id",
            submitted_after_s,
        )

    def _listed(self, query: lists.Query) -> list[Any]:
        return self._rows(query[0], *query[1])

    def _rows(self, query: LiteralString, *values: object) -> list[Any]:
        return self._db.execute(query, values).fetchall()

    def _number(self, query: LiteralString) -> int:
        ((number,),) = self._rows(query)
        return int(number)


def _in_parts(
    part: Callable[[int, int], list[FactRow]], last: int, most: int | None, at_once: int = ROWS_AT_ONCE
) -> Iterator[FactRow]:
    """The facts of one part after the other, each from the last number on, until one is not full."""
    left = most
    while left is None or left > 0:
        count = at_once if left is None else min(at_once, left)
        rows = part(last, count)
        yield from rows
        if len(rows) < count:
            return
        last = rows[-1][0]
        left = None if left is None else left - count
