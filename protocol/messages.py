"""Every message between the processes, with one tagged union for each direction. PROTOCOL.md explains each message.

Messages are frozen structs. A receiver ignores fields that it does not know, so a new field only needs a default. The
docstring of each message between hosts begins with what happens if the message is lost.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.artifact import UsableModel
from protocol.bounds import (
    MAX_ERROR_CHARS,
    Attempt,
    Error,
    Host,
    Number,
    Numbers,
    Percent,
    TaskId,
    TaskIdOrNone,
    TrainTypes,
    Whole,
    Word,
    WorkerName,
    shortened,
)
from protocol.errors import Failure
from protocol.events import Event
from protocol.message import Message
from protocol.queries import EventsPart, EventsWanted, InUseWanted, QueuePart, QueueWanted, TaskPage, TasksWanted
from protocol.task import Task, TaskSpec, Trained

#: The most items in one message. The broker splits longer lists into several messages.
MAX_LISTED = 10_000
#: The devices of one worker that are named.
MAX_DEVICES = 16
MAX_DEVICE_CHARS = 80
#: The most kinds of dropped messages that a tick may name.
MAX_DROPPED_KINDS = 32
#: -1.0 means unknown.
Seconds = Annotated[float, Meta(ge=-1.0, le=1e9)]


class Holding(msgspec.Struct, frozen=True):
    """The attempt that a worker says it holds."""

    task_id: TaskId
    attempt: Attempt


#: The devices that TensorFlow sees, such as "CPU" or "NVIDIA H200".
Devices = Annotated[tuple[Annotated[str, Meta(max_length=MAX_DEVICE_CHARS)], ...], Meta(max_length=MAX_DEVICES)]


class WorkerInfo(msgspec.Struct, frozen=True):
    """One registered worker.

    ready: it could start a task now. holds: the task that it is training, or "". draining: it takes no new task, or is
    being told so.
    memory_mb: what its processes hold. tasks_done: those that it has ended since its start, however they ended.
    heard_at_s: when it was last heard of, in seconds since the epoch.
    """

    worker: WorkerName
    host: Host
    ready: bool
    holds: TaskIdOrNone
    train_types: TrainTypes
    draining: bool = False
    devices: Devices = ()
    memory_mb: Number = 0.0
    tasks_done: Whole = 0
    heard_at_s: Number = 0.0


# ---- front-end to broker (DEALER to ROUTER) ----


class Submit(Message, frozen=True):
    """If lost: repeated until the deadline of the HTTP call. Repeats create no second task: its task_id is known."""

    request_id: Whole
    spec: TaskSpec


class Lookup(Message, frozen=True):
    """If lost: repeated until the deadline of the HTTP call. It asks for a task that is not in the cache."""

    request_id: Whole
    task_id: TaskId


class Cancel(Message, frozen=True):
    """If lost: repeated until the deadline of the HTTP call. Cancelling twice is the same as once."""

    request_id: Whole
    task_id: TaskId


class StopEarly(Message, frozen=True):
    """If lost: repeated until the deadline of the HTTP call. The training ends early and keeps its best model."""

    request_id: Whole
    task_id: TaskId


class Promote(Message, frozen=True):
    """If lost: repeated until the deadline of the HTTP call. models/latest names the model of this done task now.

    before_s: the task's promoted_at_s, as the front-end knows it. If the broker has another one, it has recorded this
    already, and a repeated message changes nothing.
    """

    request_id: Whole
    task_id: TaskId
    before_s: Number


class SnapshotWanted(Message, frozen=True):
    """If lost: asked again at the next publication, at most twice a second."""

    request_id: Whole


class WorkersWanted(Message, frozen=True):
    """If lost: repeated until the deadline of the HTTP call. It asks for the list of registered workers."""

    request_id: Whole


class DrainWanted(Message, frozen=True):
    """If lost: repeated until the deadline of the HTTP call. The worker takes no new task, or (on=False) does again.

    Answered by Workers with this worker alone, or by Refused.
    """

    request_id: Whole
    worker: WorkerName
    on: bool


# ---- broker to front-end ----


class TaskReply(Message, frozen=True):
    """If lost: the request is repeated. The task as it is after fact number `seq`, which is already on disk."""

    request_id: Whole
    seq: Whole
    task: Task


class Refused(Message, frozen=True):
    """If lost: the request is repeated. `code` is one of protocol.errors.REFUSAL_CODES."""

    request_id: Whole
    code: Word
    error: Error
    task: Task | None = None
    #: Only with queue_full: the position that the task would have had in the queue, counted from 1.
    position: Whole = 0
    #: Only with queue_full: the setting that limits the waiting tasks, and its value.
    quota: Word = ""
    quota_size: Whole = 0

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "error", shortened(self.error, MAX_ERROR_CHARS))


class SnapshotPart(Message, frozen=True):
    """If lost: the front-end asks for a new snapshot. All parts of a snapshot have the same `seq`, and keep order."""

    request_id: Whole
    seq: Whole
    tasks: Annotated[tuple[Task, ...], Meta(max_length=MAX_LISTED)]
    progress: Annotated[tuple[Progress, ...], Meta(max_length=MAX_LISTED)]
    first: bool
    last: bool


class Workers(Message, frozen=True):
    """If lost: the request is repeated. The answer to WorkersWanted."""

    request_id: Whole
    workers: Annotated[tuple[WorkerInfo, ...], Meta(max_length=MAX_LISTED)]


# ---- worker to broker (DEALER to ROUTER) ----


class Hello(Message, frozen=True):
    """If lost: the agent repeats it until the broker answers with Welcome. It registers the worker."""

    worker: WorkerName
    start_id: Word
    host: Host
    train_types: TrainTypes
    ready: bool = False
    holds: Holding | None = None
    draining: bool = False


class Heartbeat(Message, frozen=True):
    """If lost: the next one says the same. A lease outlives several lost heartbeats."""

    ready: bool
    holds: Holding | None = None
    draining: bool = False
    devices: Devices = ()
    memory_mb: Number = 0.0
    tasks_done: Whole = 0


class Result(Message, frozen=True):
    """If lost: repeated at every heartbeat until it is acknowledged. Exactly one of these outcomes is set:

    trained: the task is finished and its files are in place. failure: the attempt failed. cancelled: the worker stopped
    as it was told to. handed_back: the worker is leaving. The task goes back to the queue, and this attempt does not
    count towards the limit.
    """

    task_id: TaskId
    attempt: Attempt
    trained: Trained | None = None
    failure: Failure | None = None
    cancelled: bool = False
    handed_back: bool = False
    progress: Percent = 0.0


class Goodbye(Message, frozen=True):
    """If lost: the broker gives the worker up when its lease expires."""


# ---- broker to worker ----


class Welcome(Message, frozen=True):
    """If lost: the agent says Hello again. It tells the agent how often to send heartbeats and where to publish.

    progress_port: 0 if the broker listens at Unix sockets. The agent then publishes at the socket beside the worker's.
    publish_key: identifies this worker to this run of the broker. The worker's progress must carry it.
    """

    heartbeat_interval_s: Annotated[float, Meta(gt=0.0, le=86400.0)]
    lease_ttl_s: Annotated[float, Meta(gt=0.0, le=86400.0)]
    progress_port: Annotated[int, Meta(ge=0, le=65535)]
    publish_key: Word = ""


class HelloWanted(Message, frozen=True):
    """If lost: sent again at the next message from this worker, which the broker does not know."""


class Rejected(Message, frozen=True):
    """If lost: sent again at the next Hello. The worker must not go on, for example because its name is taken."""

    error: Error


class Start(Message, frozen=True):
    """If lost: sent again at the worker's next heartbeat, which shows that it does not hold its lease.

    queued_at_s: when the task came into the queue, or back into it, in seconds since the epoch.
    """

    spec: TaskSpec
    attempt: Attempt
    batch_divisor: Annotated[int, Meta(ge=1, le=2**62)] = 1
    queued_at_s: Number = 0.0


class Stop(Message, frozen=True):
    """If lost: repeated in the answer to every heartbeat that still holds the attempt.

    keep: end early, but export the best model so far. unknown: the worker does not hold the lease of this attempt.
    """

    task_id: TaskId
    attempt: Attempt
    keep: bool = False
    unknown: bool = False


class Pulse(Message, frozen=True):
    """If lost: the next heartbeat brings another one. The answer to a heartbeat, with the order that is pending.

    drain: whether the worker shall drain; None if that is not to change.
    """

    order: Stop | None = None
    drain: bool | None = None


class ResultAck(Message, frozen=True):
    """If lost: the worker repeats the result, and this is sent again.

    discard: the task was cancelled meanwhile, so the worker removes the model that it has published.
    """

    task_id: TaskId
    attempt: Attempt
    discard: bool = False


# ---- published (PUB to SUB): every message may be lost ----


class Progress(Message, frozen=True):
    """If lost: the next one makes up for it, because all values are absolute. There are at most four a second.

    progress: percent from 0.0 to 99.9, which never falls within an attempt. eta_s: seconds left, or -1.0 if unknown.
    usable: the best usable model so far, or None before there is one.
    eta_low_s, eta_high_s: a range in seconds that holds the real end in about eight of ten tasks, or -1.0 if unknown.
    epochs_max: the most epochs of this phase, or 0 if it has none.
    """

    task_id: TaskId
    attempt: Attempt
    progress: Percent
    phase: Word = ""
    eta_s: Seconds = -1.0
    epoch: Whole = 0
    metrics: Numbers = {}
    eta_low_s: Seconds = -1.0
    eta_high_s: Seconds = -1.0
    epochs_max: Whole = 0
    usable: UsableModel | None = None


class KeyedProgress(Message, frozen=True):
    """If lost: as for Progress. The agent sends it, and the broker publishes its `progress` without the key.

    publish_key: from Welcome. The broker drops progress unless it comes from the worker that holds the attempt.
    """

    publish_key: Word
    progress: Progress


class TaskChanged(msgspec.Struct, frozen=True, gc=False):
    """The task as it is after fact number `seq`, and the event that this fact is for callers."""

    seq: Whole
    task: Task
    event: Event


class TasksChanged(Message, frozen=True):
    """If lost: the front-end sees a gap in the numbers and asks for a snapshot. All changes of one commit."""

    changes: Annotated[tuple[TaskChanged, ...], Meta(max_length=MAX_LISTED)]


class Tick(Message, frozen=True):
    """If lost: the next one comes within a second. It shows that the broker is alive, and how far its facts go.

    workers: how many are registered. warm: how many have loaded TensorFlow (they are ready or training). free: how many
    are ready and have no task. pending: tasks that would start if a worker were free. started_at_s: when this run of
    the broker began, in seconds since the epoch. dropped: how many messages it has dropped since then, by kind.
    draining: idle workers that take no new task. memory_mb: what the processes of each worker hold, by its name.
    """

    seq: Whole
    workers: Whole
    warm: Whole
    free: Whole
    pending: Whole
    started_at_s: Number = 0.0
    dropped: Annotated[dict[Word, Whole], Meta(max_length=MAX_DROPPED_KINDS)] = {}
    draining: Whole = 0
    memory_mb: Annotated[dict[WorkerName, Number], Meta(max_length=MAX_LISTED)] = {}


WebToBroker = (
    Submit
    | Lookup
    | Cancel
    | StopEarly
    | Promote
    | SnapshotWanted
    | WorkersWanted
    | DrainWanted
    | TasksWanted
    | EventsWanted
    | QueueWanted
    | InUseWanted
)
BrokerToWeb = TaskReply | Refused | SnapshotPart | Workers | TaskPage | EventsPart | QueuePart
WorkerToBroker = Hello | Heartbeat | Result | Goodbye
BrokerToWorker = Welcome | HelloWanted | Rejected | Start | Stop | Pulse | ResultAck
Collected = KeyedProgress
Published = Progress | TasksChanged | Tick
