"""Events of the past, read from the journal: the same ones that were published when their facts were recorded.

An event says in which state, in which attempt and at which worker its task was after the fact. Most facts do not say
that themselves. But the facts with which an attempt begins or ends do, so a task as it was is rebuilt from the newest
of those, and `evolve` applies the few that follow it. A task with thousands of facts therefore costs no more than one
with three.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

import msgspec

from broker import facts as f
from broker.facts import Record, evolve
from broker.happened import event_of
from broker.journal_rows import FactRow, record_of
from broker.journal_view import JournalView
from protocol.bounds import PART_BYTES
from protocol.events import Event
from protocol.queries import EventsPart, EventsWanted
from protocol.task import Task, TaskSpec

log = logging.getLogger("broker")

#: An answer that takes longer ends early, and the next request continues.
READ_LIMIT_S = 0.1
#: How many tasks with unreadable facts are remembered, so that the log names each one once.
MAX_NAMED_TASKS = 1000

_encoder = msgspec.msgpack.Encoder()


class PastEvents:
    def __init__(self, view: JournalView) -> None:
        self._view = view
        self._named: set[str] = set()

    def part(self, wanted: EventsWanted) -> EventsPart:
        """The answer to a request. It is bounded by the number of events, by bytes and by time.

        Facts that cannot be read, or do not fit, are left out and named in the log.
        """
        seq, kept_after = self._view.newest_seq(), self._view.pruned_up_to()
        give_up_at_s = time.monotonic() + READ_LIMIT_S
        tasks: dict[str, Task] = {}
        events: list[Event] = []
        size_bytes, up_to, rows = 0, wanted.after, 0
        for row in self._rows(wanted):
            event = self._event(row, tasks)
            if event is not None:
                size_bytes += len(_encoder.encode(event))
                if events and size_bytes > PART_BYTES:
                    break
                events.append(event)
            up_to, rows = row[0], rows + 1
            if time.monotonic() >= give_up_at_s:
                break
        else:
            if rows < wanted.most:
                up_to = max(seq, wanted.after)
        return EventsPart(wanted.request_id, seq, tuple(events), up_to, kept_after)

    def _rows(self, wanted: EventsWanted) -> Iterable[FactRow]:
        if wanted.task_id:
            return self._view.facts_of(wanted.task_id, wanted.after, wanted.most)
        return self._view.facts_after(wanted.after, wanted.most)

    def _event(self, row: FactRow, tasks: dict[str, Task]) -> Event | None:
        """The event of a fact. tasks: as they were after their last fact that this part has handled."""
        seq, _, task_id, _ = row
        try:
            record = record_of(row)
            tasks[task_id] = task = self._task_after(record, tasks.get(task_id))
            return event_of(record, task)
        except (msgspec.DecodeError, ValueError, TypeError, OverflowError, OSError) as error:
            # The last three stand for a time or an id of another type than ours, in a damaged row.
            tasks.pop(task_id, None)
            self._name_left_out(task_id, seq, error)
            return None

    def _task_after(self, record: Record, before: Task | None) -> Task:
        if isinstance(record.fact, f.Submitted):
            return evolve(None, record)
        spec = before.spec if before is not None else self._spec(record)
        begun = _begun(spec, record)
        if begun is not None:
            return begun
        return evolve(before if before is not None else self._task_before(spec, record), record)

    def _spec(self, record: Record) -> TaskSpec:
        """What the caller of the fact's task asked for, from the task's first fact."""
        for row in self._view.facts_of(record.task_id, most=1):
            first = record_of(row).fact
            if isinstance(first, f.Submitted) and first.spec.task_id == record.task_id:
                return first.spec
        raise ValueError(f"the first fact of task {record.task_id} does not submit it")

    def _task_before(self, spec: TaskSpec, record: Record) -> Task:
        """The task as it was before the fact, rebuilt from the newest fact that says where its attempt stands."""
        later: list[Record] = []
        for row in self._view.facts_before(record.task_id, record.seq):
            earlier = record_of(row)
            task = _begun(spec, earlier)
            if task is None:
                later.append(earlier)
                continue
            for fact in reversed(later):
                task = evolve(task, fact)
            return task
        raise ValueError(f"task {record.task_id} has no fact before fact {record.seq}")

    def _name_left_out(self, task_id: str, seq: int, error: Exception) -> None:
        if task_id in self._named:
            return
        if len(self._named) >= MAX_NAMED_TASKS:
            self._named.clear()
        self._named.add(task_id)
        reason = f"the fact cannot be told as an event: {error}"
        log.error("action=journal.event_left_out task=%r seq=%s reason=%r", task_id, seq, reason)


def _begun(spec: TaskSpec, record: Record) -> Task | None:
    """The task after a fact that says by itself where its attempt stands, as far as events need it. None otherwise."""
    match record.fact:
        case f.Submitted():
            return evolve(None, record)
        case f.Leased(attempt=attempt):
            return evolve(Task(spec, attempt=attempt), record)
        case f.Requeued(end=end):
            return Task(spec, attempt=end.attempt + 1)
    return None
