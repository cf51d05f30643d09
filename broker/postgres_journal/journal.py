"""The writer of a journal in PostgreSQL.

A commit costs one exchange with the server for any number of facts: all its statements are sent at once (pipeline
mode). The first of them compares the term, so that a broker that no longer leads cannot write.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import LiteralString

from broker.facts import Record
from broker.journal import PRUNED_A_CALL, Journal, JournalError, LeadershipLostError
from broker.journal_rows import fact_json, task_json
from broker.postgres_journal.connection import Connection, Place
from broker.postgres_journal.durability import concerns
from broker.postgres_journal.keys import key_of
from broker.postgres_journal.leader import begin_term, end_writer_before
from broker.postgres_journal.leadership import Leadership
from broker.postgres_journal.migrations import migrate
from broker.postgres_journal.view import ENDED, PostgresView
from protocol.task import Task

log = logging.getLogger("broker")

INSERT_FACTS: LiteralString = (
    "INSERT INTO facts (seq, at_s, task_id, fact) "
    "SELECT * FROM unnest(%b::bigint[], %b::double precision[], %b::text[], %b::text[])"
)
REPLACE_TASKS: LiteralString = """
    INSERT INTO tasks (
        task_id, state, submitted_at_s, ended_at_s, in_use_since_s, is_keyed, retry_of,
        user_key, project_key, train_key, user_id, project_id, task
    )
    SELECT * FROM unnest(
        %b::text[], %b::text[], %b::double precision[], %b::double precision[], %b::double precision[], %b::boolean[],
        %b::text[], %b::bytea[], %b::bytea[], %b::bytea[], %b::bytea[], %b::bytea[], %b::text[]
    )
    ON CONFLICT (task_id) DO UPDATE SET
        state = excluded.state, submitted_at_s = excluded.submitted_at_s, ended_at_s = excluded.ended_at_s,
        in_use_since_s = excluded.in_use_since_s, is_keyed = excluded.is_keyed, retry_of = excluded.retry_of,
        user_key = excluded.user_key, project_key = excluded.project_key, train_key = excluded.train_key,
        user_id = excluded.user_id, project_id = excluded.project_id, task = excluded.task
"""
REPLACE_METADATA: LiteralString = """
    INSERT INTO task_metadata (
        task_id, name, value_key, state, submitted_at_s, ended_at_s, user_key, project_key, train_key,
        user_id, project_id
    )
    SELECT * FROM unnest(
        %b::text[], %b::text[], %b::bytea[], %b::text[], %b::double precision[], %b::double precision[],
        %b::bytea[], %b::bytea[], %b::bytea[], %b::bytea[], %b::bytea[]
    )
    ON CONFLICT (task_id, name) DO UPDATE SET
        value_key = excluded.value_key, state = excluded.state, submitted_at_s = excluded.submitted_at_s,
        ended_at_s = excluded.ended_at_s, user_key = excluded.user_key, project_key = excluded.project_key,
        train_key = excluded.train_key, user_id = excluded.user_id, project_id = excluded.project_id
"""


class PostgresJournal(Journal):
    def __init__(self, place: Place, leadership: Leadership) -> None:
        """Connect, create or migrate the tables, and begin a term. Raises JournalError if that is impossible.

        leadership: it belongs to this object from now on.
        """
        super().__init__()
        self.place = place
        self._leadership = leadership
        self._db = place.connect("broker")
        try:
            with place.errors():
                self._set_durable()
                end_writer_before(self._db)
                migrate(self._db, place)
                self.term = begin_term(self._db)
                for concern in concerns(self._db):
                    log.warning("action=journal.endangered reason=%r", concern)
        except BaseException:
            self._db.close()
            raise
        leadership.begin_term(self.term)
        log.info("action=broker.leads term=%d journal=%r", self.term, place.shown)
        self.view = PostgresView(self._db, place)

    def _set_durable(self) -> None:
        """A setting of the server, the database or the user may be weaker. "remote_apply" is stronger."""
        self._db.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') <> %s",
            ["remote_apply"],
        )

    def close(self) -> None:
        self._db.close()
        self._leadership.close()

    def confirm(self) -> None:
        self._leadership.confirm()

    def report_loss_to(self, take: Callable[[LeadershipLostError], None]) -> None:
        self._leadership.report_loss_to(take)

    def open_view(self) -> PostgresView:
        return PostgresView.of_place(self.place)

    def append(self, records: Sequence[Record], tasks: Iterable[Task]) -> None:
        # One statement must not write a row twice.
        changed = list({task.task_id: task for task in tasks}.values())
        with self._transaction() as db:
            if records:
                rows = [(record.seq, float(record.at_s), record.task_id, fact_json(record)) for record in records]
                db.execute(INSERT_FACTS, _columns(rows))
            if changed:
                db.execute(REPLACE_TASKS, _columns([_task_row(task) for task in changed]))
            metadata = [row for task in changed for row in _metadata_rows(task)]
            if metadata:
                db.execute(REPLACE_METADATA, _columns(metadata))

    def prune(self, ended_before_s: float) -> int:
        query: LiteralString = (
            "SELECT task_id FROM tasks WHERE state = %s AND ended_at_s < %s "
            "ORDER BY ended_at_s, submitted_at_s, task_id LIMIT %s"
        )
        ids: list[str] = []
        with self.place.errors():
            for state in ENDED:
                rows = self._db.execute(query, [state, ended_before_s, PRUNED_A_CALL - len(ids)])
                ids += [task_id for (task_id,) in rows]
        if ids:
            with self._transaction() as db:
                db.execute(
                    "UPDATE journal SET pruned_up_to = greatest(pruned_up_to, "
                    "(SELECT coalesce(max(seq), 0) FROM facts WHERE task_id = ANY(%s)))",
                    [ids],
                )
                for table in ("facts", "tasks", "task_metadata"):
                    db.execute(f"DELETE FROM {table} WHERE task_id = ANY(%s)", [ids])
        return len(ids)

    def note_pruned(self, up_to: int) -> None:
        with self._transaction() as db:
            db.execute("UPDATE journal SET pruned_up_to = greatest(pruned_up_to, %s)", [up_to])

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction whose statements are sent at once. It is durable at the end.

        An error of a statement is raised at the end, too.
        """
        try:
            with self.place.errors(), self._db.pipeline(), self._db.transaction():
                self._db.execute("SELECT hold_term(%s)", [self.term])
                yield self._db
        except LeadershipLostError:
            raise
        except JournalError:
            # If a broker that has begun to lead has ended our session, LeadershipLostError is the reason to report.
            self._leadership.confirm()
            raise


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _task_row(task: Task) -> tuple[object, ...]:
    """The columns of `tasks`. All but its record serve to find the task."""
    spec = task.spec
    return (
        spec.task_id,
        task.state.value,
        *(float(at_s) for at_s in (task.submitted_at_s, task.ended_at_s, task.in_use_since_s)),
        spec.request_key != "",
        spec.retry_of,
        key_of(spec.user_id),
        key_of(spec.project_id),
        key_of(spec.train_type),
        spec.user_id.encode(),
        spec.project_id.encode(),
        task_json(task),
    )


def _metadata_rows(task: Task) -> list[tuple[object, ...]]:
    """The rows of `task_metadata`, which repeat what lists are filtered and ordered by."""
    spec = task.spec
    rest = (
        *(task.state.value, float(task.submitted_at_s), float(task.ended_at_s)),
        *(key_of(spec.user_id), key_of(spec.project_id), key_of(spec.train_type)),
        *(spec.user_id.encode(), spec.project_id.encode()),
    )
    return [(spec.task_id, name, key_of(value), *rest) for name, value in spec.metadata.items()]
