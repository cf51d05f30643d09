"""Facts: the durable changes of a task, and the one function that says what each does to it.

A task's life as facts:

    Submitted ── Leased ──┬─ Done
        ▲                 ├─ Failed
        │                 ├─ Cancelled          (also straight from the queue)
        └──── Requeued ◄──┘                     attempt + 1
    CancelRequested, StopRequested              flags, at any time before the end
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from protocol.bounds import MAX_ENDED_ATTEMPTS, Attempt, Percent, Word, WorkerName
from protocol.errors import Failure
from protocol.task import AttemptEnd, Task, TaskSpec, TaskState, Trained


class _Fact(msgspec.Struct, frozen=True, tag=True, tag_field="fact", gc=False):
    pass


class Submitted(_Fact, frozen=True):
    spec: TaskSpec


class Leased(_Fact, frozen=True):
    """`worker` in its start `start_id` holds the attempt from now on."""

    attempt: Attempt
    worker: WorkerName
    start_id: Word


class Requeued(_Fact, frozen=True):
    """The attempt ended without an end of the task; it waits for attempt + 1."""

    end: AttemptEnd
    batch_divisor: int = 1


class CancelRequested(_Fact, frozen=True):
    pass


class StopRequested(_Fact, frozen=True):
    pass


class Done(_Fact, frozen=True):
    attempt: Attempt
    trained: Trained


class Failed(_Fact, frozen=True):
    """The task is given up. failure.error is what the caller reads; end is this attempt's own end."""

    end: AttemptEnd
    failure: Failure
    progress: Percent


class Cancelled(_Fact, frozen=True):
    attempt: Attempt
    progress: Percent


Fact = Submitted | Leased | Requeued | CancelRequested | StopRequested | Done | Failed | Cancelled


class Record(msgspec.Struct, frozen=True, gc=False):
    """A fact with its place in the journal. seq rises by one; at_s: wall clock, seconds since the epoch."""

    seq: int
    at_s: float
    task_id: str
    fact: Fact


def evolve(task: Task | None, record: Record) -> Task:
    """The task after the fact. Raises ValueError for a fact that cannot follow (a broken journal)."""
    fact, at_s = record.fact, record.at_s
    if isinstance(fact, Submitted):
        if task is not None:
            raise ValueError(f"fact {record.seq}: task {record.task_id} was submitted twice")
        return Task(spec=fact.spec, submitted_at_s=at_s)
    if task is None or task.ended:
        raise ValueError(f"fact {record.seq}: {type(fact).__name__} for a task that is {task and task.state}")
    match fact:
        case Leased():
            return replace(
                task,
                state=TaskState.PROCESSING,
                thread=fact.worker,
                started_at_s=task.started_at_s or at_s,
            )
        case Requeued():
            return replace(
                task,
                state=TaskState.PENDING,
                attempt=fact.end.attempt + 1,
                thread="",
                batch_divisor=fact.batch_divisor,
                ended_attempts=_with(task.ended_attempts, fact.end),
            )
        case CancelRequested():
            return replace(task, cancel_requested=True)
        case StopRequested():
            return replace(task, stop_requested=True)
        case Done():
            return replace(task, state=TaskState.DONE, progress=100.0, trained=fact.trained, ended_at_s=at_s)
        case Failed():
            return replace(
                task,
                state=TaskState.FAILED,
                progress=fact.progress,
                failure=fact.failure,
                ended_attempts=_with(task.ended_attempts, fact.end),
                ended_at_s=at_s,
            )
        case Cancelled():
            return replace(task, state=TaskState.CANCELLED, progress=fact.progress, ended_at_s=at_s)


def _with(ends: tuple[AttemptEnd, ...], end: AttemptEnd) -> tuple[AttemptEnd, ...]:
    """A worker may hand a task back any number of times; the oldest of such ends are forgotten, never a counted one."""
    if len(ends) >= MAX_ENDED_ATTEMPTS:
        oldest = next((index for index, old in enumerate(ends) if not old.counted), 0)
        ends = ends[:oldest] + ends[oldest + 1 :]
    return (*ends, end)
