"""What front-ends and the broker say to each other over ROUTER and DEALER. protocol/messages.py has the unions."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.bounds import (
    MAX_ERROR_CHARS,
    Error,
    HostOrNone,
    KnownName,
    Number,
    TaskId,
    TaskIdOrNone,
    TrainTypes,
    Whole,
    Word,
    WorkerName,
    shortened,
)
from protocol.labels import Labels, Needs
from protocol.message import MAX_LISTED, Message
from protocol.pools import Pools
from protocol.publications import Progress
from protocol.task import Task, TaskSpec
from protocol.worker_messages import Devices, Versions

#: How the attempt of a worker that gives its task back has ended.
HandBackReason = Literal["handed_back", "preempted"]


class WorkerInfo(msgspec.Struct, frozen=True):
    """One registered worker.

    ready: it could start a task now. holds: the task that it is training, or "". draining: it takes no new task, or is
    being told so. host: "" after a restart of the broker, until the worker has said Hello to it.
    memory_mb: what its processes hold. tasks_done: those that it has ended since its start, however they ended.
    heard_at_s: when it was last heard of, in seconds since the epoch. labels, pool, versions: as in Hello. helping: the
    task that it helps another worker with, or "".
    clock_skew_s: as in Heartbeat.
    """

    worker: WorkerName
    host: HostOrNone
    ready: bool
    holds: TaskIdOrNone
    train_types: TrainTypes
    draining: bool = False
    devices: Devices = ()
    memory_mb: Number = 0.0
    tasks_done: Whole = 0
    heard_at_s: Number = 0.0
    labels: Labels = {}
    pool: Word = ""
    versions: Versions = {}
    clock_skew_s: Number = 0.0
    helping: TaskIdOrNone = ""


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

    hand_back: the worker also gives the task that it holds back to the queue, at once. why: "preempted" if its machine
    is being taken away; the task's story then says so.
    Answered by Workers with this worker alone, or by Refused.
    """

    request_id: Whole
    worker: WorkerName
    on: bool
    hand_back: bool = False
    why: HandBackReason = "handed_back"


class PoolsReported(Message, frozen=True):
    """If lost: the controller of the cluster reports again within seconds. It says what it starts, and asks for what.

    Answered by Demand.
    """

    request_id: Whole
    pools: Pools


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
    #: Only with queue_full: the setting that limits the waiting tasks, or "needs", and how many it allows.
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
    """If lost: the request is repeated. The answer to WorkersWanted.

    pools: those of the cluster's newest report; () if there is none. more: how many workers did not fit into the
    message.
    """

    request_id: Whole
    workers: Annotated[tuple[WorkerInfo, ...], Meta(max_length=MAX_LISTED)]
    pools: Pools = ()
    more: Whole = 0


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """How many waiting tasks of one trainType with the same needs would start if a worker for them were free."""

    train_type: KnownName
    needs: Needs
    count: Whole


class Demand(Message, frozen=True):
    """If lost: the controller of the cluster reports again. What waits, and which workers there are.

    more: how many workers did not fit into the message.
    """

    request_id: Whole
    waiting: Annotated[tuple[Waiting, ...], Meta(max_length=MAX_LISTED)]
    workers: Annotated[tuple[WorkerInfo, ...], Meta(max_length=MAX_LISTED)]
    more: Whole = 0
