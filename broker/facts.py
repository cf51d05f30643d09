"""Facts are the durable changes of a task. `evolve` applies them.

The life of a task:

    Submitted ── Leased ──┬─ Done
        ▲                 ├─ Failed
        │                 ├─ Cancelled          (also straight from the queue)
        └──── Requeued ◄──┘                     attempt + 1
    CancelRequested                             sets a flag, at any time before the end
    StopRequested                               sets a flag, while the task is being trained
    ModelUsable                                 a task with a time budget has a model, while it is being trained
    ArtifactReady                               one file of the model, just before Done
    ModelPromoted                               a person has made the model the one in use, at any time after Done

NEXT_STATES below is the same as a table. A fact that it does not have for the task's state is refused.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from protocol.artifact import Artifact, UsableModel
from protocol.bounds import MAX_ENDED_ATTEMPTS, Attempt, Percent, Word, WorkerName
from protocol.errors import Failure
from protocol.task import AttemptEnd, Task, TaskSpec, TaskState, Trained


class _Fact(msgspec.Struct, frozen=True, tag=True, tag_field="fact", gc=False):
    pass


class Submitted(_Fact, frozen=True):
    spec: TaskSpec


class Leased(_Fact, frozen=True):
    """The start `start_id` of `worker` holds the attempt from now on."""

    attempt: Attempt
    worker: WorkerName
    start_id: Word


class Requeued(_Fact, frozen=True):
    """The attempt has ended but the task has not. The task waits for the next attempt."""

    end: AttemptEnd
    batch_divisor: int = 1


class CancelRequested(_Fact, frozen=True):
    """A caller has asked for the task to be cancelled.

    progress: of the attempt, as far as the broker knew it. The event has it, so that progress does not go back.
    """

    progress: Percent = 0.0


class StopRequested(_Fact, frozen=True):
    """A caller has asked for the training to end early. progress: as in CancelRequested."""

    progress: Percent = 0.0


class ModelUsable(_Fact, frozen=True):
    """The attempt has published a model that can be used until a better one replaces it.

    progress: as in CancelRequested.
    """

    attempt: Attempt
    model: UsableModel
    progress: Percent = 0.0


class ArtifactReady(_Fact, frozen=True):
    """A file of the model that the attempt has published. Recorded in the same commit as Done.

    progress: as in CancelRequested.
    """

    attempt: Attempt
    artifact: Artifact
    progress: Percent = 0.0


class ModelPromoted(_Fact, frozen=True):
    """A person has pointed models/latest to the model of this task. The link was switched before this is recorded."""


class Done(_Fact, frozen=True):
    attempt: Attempt
    trained: Trained


class Failed(_Fact, frozen=True):
    """The task is given up. failure: its error is for the caller. end: how the last attempt ended."""

    end: AttemptEnd
    failure: Failure
    progress: Percent


class Cancelled(_Fact, frozen=True):
    attempt: Attempt
    progress: Percent


Fact = (
    Submitted
    | Leased
    | Requeued
    | CancelRequested
    | StopRequested
    | ModelUsable
    | ArtifactReady
    | Done
    | Failed
    | Cancelled
    | ModelPromoted
)


#: The state of a task after a fact. The key is its state before (None: not yet submitted) and the type of the fact.
NEXT_STATES: dict[tuple[TaskState | None, type[Fact]], TaskState] = {
    (None, Submitted): TaskState.PENDING,
    (TaskState.PENDING, Leased): TaskState.PROCESSING,
    (TaskState.PENDING, CancelRequested): TaskState.PENDING,
    (TaskState.PENDING, Cancelled): TaskState.CANCELLED,
    (TaskState.PROCESSING, CancelRequested): TaskState.PROCESSING,
    (TaskState.PROCESSING, StopRequested): TaskState.PROCESSING,
    (TaskState.PROCESSING, ModelUsable): TaskState.PROCESSING,
    (TaskState.PROCESSING, ArtifactReady): TaskState.PROCESSING,
    (TaskState.PROCESSING, Requeued): TaskState.PENDING,
    (TaskState.PROCESSING, Done): TaskState.DONE,
    (TaskState.PROCESSING, Failed): TaskState.FAILED,
    (TaskState.PROCESSING, Cancelled): TaskState.CANCELLED,
    (TaskState.DONE, ModelPromoted): TaskState.DONE,
}


class Record(msgspec.Struct, frozen=True, gc=False):
    """A fact in the journal. seq: its number, which rises by one. at_s: its time, in seconds since the epoch."""

    seq: int
    at_s: float
    task_id: str
    fact: Fact


def evolve(task: Task | None, record: Record) -> Task:
    """Return the task as it is after the fact.

    Raises ValueError for a fact that cannot follow: NEXT_STATES does not have it for the task's state, it belongs to
    another attempt, or it submits a task under another task's id. Such a fact comes from a damaged journal or from a
    fault in the broker.
    """
    fact, at_s = record.fact, record.at_s
    state = NEXT_STATES.get((task.state if task is not None else None, type(fact)))
    if isinstance(fact, Submitted):
        if state is None or fact.spec.task_id != record.task_id:
            raise _misfit(task, record)
        return Task(spec=fact.spec, state=state, submitted_at_s=at_s)
    if task is None or state is None or attempt_of(fact) not in (None, task.attempt):
        raise _misfit(task, record)
    match fact:
        case Leased():
            return replace(task, state=state, thread=fact.worker, started_at_s=task.started_at_s or at_s)
        case Requeued():
            return replace(
                task,
                state=state,
                attempt=fact.end.attempt + 1,
                thread="",
                batch_divisor=fact.batch_divisor,
                ended_attempts=_with(task.ended_attempts, fact.end),
            )
        case CancelRequested():
            return replace(task, state=state, cancel_requested=True)
        case StopRequested():
            return replace(task, state=state, stop_requested=True)
        case ModelUsable():
            return replace(task, state=state, usable=fact.model)
        case ArtifactReady():
            return task  # Done brings the whole list.
        case ModelPromoted():
            return replace(task, state=state, promoted_at_s=at_s)
        case Done():
            return replace(task, state=state, progress=100.0, trained=fact.trained, ended_at_s=at_s)
        case Failed():
            return replace(
                task,
                state=state,
                progress=fact.progress,
                failure=fact.failure,
                ended_attempts=_with(task.ended_attempts, fact.end),
                ended_at_s=at_s,
            )
        case Cancelled():
            return replace(task, state=state, progress=fact.progress, ended_at_s=at_s)


def attempt_of(fact: Fact) -> int | None:
    """The attempt that the fact belongs to; None if it concerns the whole task."""
    match fact:
        case Leased() | ModelUsable() | ArtifactReady() | Done() | Cancelled():
            return fact.attempt
        case Requeued() | Failed():
            return fact.end.attempt
    return None


def _misfit(task: Task | None, record: Record) -> ValueError:
    attempt = attempt_of(record.fact)
    fact = type(record.fact).__name__ + (f" of attempt {attempt}" if attempt is not None else "")
    if isinstance(record.fact, Submitted) and record.fact.spec.task_id != record.task_id:
        fact += f" of task {record.fact.spec.task_id}"
    state = f"is {task.state} in attempt {task.attempt}" if task is not None else "has not been submitted"
    return ValueError(f"fact {record.seq}, {fact}, cannot follow: task {record.task_id} {state}")


def _with(ends: tuple[AttemptEnd, ...], end: AttemptEnd) -> tuple[AttemptEnd, ...]:
    """Add an end to the list, which has at most MAX_ENDED_ATTEMPTS items.

    Workers may hand a task back any number of times. The oldest of these ends is dropped, and the counted ones stay.
    """
    if len(ends) >= MAX_ENDED_ATTEMPTS:
        oldest = next((index for index, old in enumerate(ends) if not old.counted), 0)
        ends = ends[:oldest] + ends[oldest + 1 :]
    return (*ends, end)
