"""The events that the core handles and the effects that it asks for. They are plain values."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from broker.facts import Record
from protocol.messages import (
    BrokerToWeb,
    BrokerToWorker,
    Cancel,
    Lookup,
    Progress,
    Promote,
    StopEarly,
    TaskChanged,
    WebToBroker,
    WorkerToBroker,
)
from protocol.queries import EventsWanted, InUseWanted, TasksWanted
from protocol.task import Task


class Now(msgspec.Struct, frozen=True):
    """The time of an event. monotonic_s never jumps, so leases use it. wall_s (since the epoch) is for records."""

    monotonic_s: float
    wall_s: float


class Recovered(msgspec.Struct, frozen=True):
    """What a broker reads from its journal when it starts.

    records: the facts of the tasks that have not ended, in order. seq: the number of the newest fact ever written.
    ended: the tasks that ended last, oldest first. keyed: the tasks whose request key is still valid.
    """

    records: Sequence[Record] = ()
    seq: int = 0
    ended: Sequence[Task] = ()
    keyed: Sequence[Task] = ()


class FromWeb(msgspec.Struct, frozen=True):
    peer: bytes
    message: WebToBroker


class FromWorker(msgspec.Struct, frozen=True):
    peer: bytes
    message: WorkerToBroker


class ModelFound(msgspec.Struct, frozen=True):
    """A worker's progress, which `Core.take_progress` has accepted, names a usable model that is not yet recorded."""

    progress: Progress


class EndedFound(msgspec.Struct, frozen=True):
    """The journal's answer to a ReadEnded whose request may change the task. task: None if the journal has none."""

    peer: bytes
    request: Promote
    task: Task | None


class TimePassed(msgspec.Struct, frozen=True):
    """A deadline may have passed."""


Event = FromWeb | FromWorker | ModelFound | EndedFound | TimePassed


class SendWeb(msgspec.Struct, frozen=True):
    peer: bytes
    message: BrokerToWeb


class SendWorker(msgspec.Struct, frozen=True):
    peer: bytes
    message: BrokerToWorker


class Publish(msgspec.Struct, frozen=True):
    """Publish this change, together with the others of the same commit."""

    change: TaskChanged


class ReadEnded(msgspec.Struct, frozen=True):
    """Read the task from the journal, because it is not in memory, and answer with `answers.about_ended`.

    A Promote comes back to the core as EndedFound instead, since it is going to be recorded.
    """

    peer: bytes
    request: Lookup | Cancel | StopEarly | Promote


class ReadEvents(msgspec.Struct, frozen=True):
    """Read events of the past from the journal and answer with EventsPart."""

    peer: bytes
    request: EventsWanted


class ReadPage(msgspec.Struct, frozen=True):
    """Read one page of a list of tasks from the journal and answer with TaskPage."""

    peer: bytes
    request: TasksWanted


class ReadInUse(msgspec.Struct, frozen=True):
    """Read from the journal which models a project has used, and answer with TaskPage."""

    peer: bytes
    request: InUseWanted


class LeftOut(msgspec.Struct, frozen=True):
    """Log that a snapshot lacks this task, because the task is too large for a message."""

    task_id: str


Effect = SendWeb | SendWorker | Publish | ReadEnded | ReadEvents | ReadPage | ReadInUse | LeftOut
