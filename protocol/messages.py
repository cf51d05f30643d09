"""Every message between the processes, one tagged union per direction; PROTOCOL.md says what each is for.

Frozen structs; receivers ignore fields that they do not know, so a field may be added with a default.
The docstring of each message starts with what happens when it is lost.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

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
    Text,
    TrainTypes,
    Whole,
    Word,
    WorkerName,
    kept_numbers,
    shortened,
)
from protocol.errors import Failure
from protocol.task import Task, TaskSpec, Trained

#: The most items in one message. The broker cuts longer lists into parts.
MAX_LISTED = 10_000
#: -1.0 when unknown.
Seconds = Annotated[float, Meta(ge=-1.0, le=1e9)]


class Message(msgspec.Struct, frozen=True, tag=True, tag_field="type", gc=False):
    """What all messages share: the class name travels as `type`. See protocol.task for gc=False."""


class Holding(msgspec.Struct, frozen=True):
    """One attempt at one task, which a worker holds."""

    task_id: TaskId
    attempt: Attempt


class WorkerInfo(msgspec.Struct, frozen=True):
    """One registered worker. ready: could start a task now; holds: the task that it trains, or ""."""

    worker: WorkerName
    host: Host
    ready: bool
    holds: TaskIdOrNone
    train_types: TrainTypes


# ---- front-end to broker (DEALER to ROUTER) ----


class Submit(Message, frozen=True):
    """Lost: the front-end repeats it until the deadline of the HTTP call; the same task_id is one task."""

    request_id: Whole
    spec: TaskSpec


class Lookup(Message, frozen=True):
    """Lost: repeated until the deadline of the HTTP call. Asks for a task that has left the cache."""

    request_id: Whole
    task_id: TaskId


class Cancel(Message, frozen=True):
    """Lost: repeated until the deadline of the HTTP call; asking twice changes nothing."""

    request_id: Whole
    task_id: TaskId


class StopEarly(Message, frozen=True):
    """Lost: repeated until the deadline of the HTTP call. End at the next batch, keep the best model so far."""

    request_id: Whole
    task_id: TaskId


class SnapshotWanted(Message, frozen=True):
    """Lost: the front-end asks again after a second."""

    request_id: Whole


class WorkersWanted(Message, frozen=True):
    """Lost: repeated until the deadline of the HTTP call."""

    request_id: Whole


# ---- broker to front-end ----


class TaskReply(Message, frozen=True):
    """Lost: the request is repeated. The task as of fact number `seq`, already on disk."""

    request_id: Whole
    seq: Whole
    task: Task


class Refused(Message, frozen=True):
    """Lost: the request is repeated. `code` is one of protocol.errors.REFUSAL_CODES."""

    request_id: Whole
    code: Word
    error: Error
    task: Task | None = None
    #: With queue_full: the place in the queue that the task would have had, from 1.
    position: Whole = 0

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "error", shortened(self.error, MAX_ERROR_CHARS))


class SnapshotPart(Message, frozen=True):
    """Lost: the front-end asks for a new snapshot. Parts of one snapshot share `seq` and arrive in order."""

    request_id: Whole
    seq: Whole
    tasks: Annotated[tuple[Task, ...], Meta(max_length=MAX_LISTED)]
    progress: Annotated[tuple[Progress, ...], Meta(max_length=MAX_LISTED)]
    first: bool
    last: bool


class Workers(Message, frozen=True):
    """Lost: the request is repeated."""

    request_id: Whole
    workers: Annotated[tuple[WorkerInfo, ...], Meta(max_length=MAX_LISTED)]


# ---- worker to broker (DEALER to ROUTER) ----


class Hello(Message, frozen=True):
    """Lost: the agent says it again at the next heartbeat, until it is welcomed."""

    worker: WorkerName
    start_id: Word
    host: Host
    train_types: TrainTypes
    ready: bool = False
    holds: Holding | None = None


class Heartbeat(Message, frozen=True):
    """Lost: the next one says the same; the lease outlives several."""

    ready: bool
    holds: Holding | None = None


class Result(Message, frozen=True):
    """Lost: repeated at every heartbeat until acknowledged. Exactly one of the outcomes is set.

    trained: finished, files in place. failure: the attempt failed. cancelled: stopped as ordered.
    handed_back: the worker is leaving; the task goes on elsewhere and no attempt is counted.
    """

    task_id: TaskId
    attempt: Attempt
    trained: Trained | None = None
    failure: Failure | None = None
    cancelled: bool = False
    handed_back: bool = False
    progress: Percent = 0.0


class Goodbye(Message, frozen=True):
    """Lost: the broker gives the worker up when its lease runs out."""


# ---- broker to worker ----


class Welcome(Message, frozen=True):
    """Lost: the agent says Hello again. Tells the agent how often to speak and where to publish progress.

    progress_port: 0 where the broker listens at Unix sockets; the progress socket lies beside the worker's then.
    publish_key: identifies this worker in this run of the broker; its progress must carry the key.
    """

    heartbeat_interval_s: Annotated[float, Meta(gt=0.0, le=86400.0)]
    lease_ttl_s: Annotated[float, Meta(gt=0.0, le=86400.0)]
    progress_port: Annotated[int, Meta(ge=0, le=65535)]
    publish_key: Word = ""


class HelloWanted(Message, frozen=True):
    """Lost: sent again at the next message from a worker that the broker does not know."""


class Rejected(Message, frozen=True):
    """Lost: sent again at the next Hello. The worker must not go on, for example because its name is taken."""

    error: Error


class Start(Message, frozen=True):
    """Lost: sent again when a worker's heartbeat shows that it does not hold what it was given."""

    spec: TaskSpec
    attempt: Attempt
    batch_divisor: Annotated[int, Meta(ge=1, le=2**62)] = 1


class Stop(Message, frozen=True):
    """Lost: repeated in every answer to a heartbeat that still holds the attempt.

    keep: end early but export the best so far. unknown: the broker does not know this attempt (any more).
    """

    task_id: TaskId
    attempt: Attempt
    keep: bool = False
    unknown: bool = False


class Pulse(Message, frozen=True):
    """Lost: the agent notices a silent broker only after several. Answers a heartbeat; carries a pending order."""

    order: Stop | None = None


class ResultAck(Message, frozen=True):
    """Lost: the result is repeated, and this is sent again.

    discard: the task was cancelled; the worker removes what it had published.
    """

    task_id: TaskId
    attempt: Attempt
    discard: bool = False


# ---- published (PUB to SUB); all of it may be lost ----


class Progress(Message, frozen=True):
    """Lost: the next one holds absolute values. At most four a second.

    progress: percent, 0.0 to 99.9, never going back within an attempt. eta_s: seconds left, -1.0 when unknown.
    model_path: a first usable model, "" before there is one. eta_low_s, eta_high_s: the range that holds the real end
    about eight times in ten, -1.0 when unknown.
    """

    task_id: TaskId
    attempt: Attempt
    progress: Percent
    phase: Word = ""
    eta_s: Seconds = -1.0
    epoch: Whole = 0
    metrics: Numbers = {}
    model_path: Text = ""
    eta_low_s: Seconds = -1.0
    eta_high_s: Seconds = -1.0


class KeyedProgress(Message, frozen=True):
    """Lost: the next one holds absolute values. From the agent; the broker passes `progress` on, without the key.

    publish_key: from Welcome. The broker drops progress that is not from the worker that holds the attempt.
    """

    publish_key: Word
    progress: Progress


class TaskChanged(msgspec.Struct, frozen=True, gc=False):
    """The task after fact number `seq`."""

    seq: Whole
    task: Task


class TasksChanged(Message, frozen=True):
    """Lost: the front-end sees a gap in the numbers and asks for a snapshot. Fast copies of one commit's facts."""

    changes: Annotated[tuple[TaskChanged, ...], Meta(max_length=MAX_LISTED)]


class Tick(Message, frozen=True):
    """Lost: the next comes within a second. Shows the front-end that the broker lives, and a gap at the end.

    workers: registered; warm: with TensorFlow loaded (ready or training); free: ready and without a task.
    pending: tasks that would start if a worker were free.
    """

    seq: Whole
    workers: Whole
    warm: Whole
    free: Whole
    pending: Whole


WebToBroker = Submit | Lookup | Cancel | StopEarly | SnapshotWanted | WorkersWanted
BrokerToWeb = TaskReply | Refused | SnapshotPart | Workers
WorkerToBroker = Hello | Heartbeat | Result | Goodbye
BrokerToWorker = Welcome | HelloWanted | Rejected | Start | Stop | Pulse | ResultAck
Collected = KeyedProgress
Published = Progress | TasksChanged | Tick


# ---- the pipe between agent and trainer process ----


class Train(Message, frozen=True):
    """Agent to trainer process: train this. The pipe loses nothing; when it closes, both processes end."""

    spec: TaskSpec
    attempt: Attempt
    batch_divisor: Annotated[int, Meta(ge=1, le=2**62)] = 1


class Halt(Message, frozen=True):
    """Agent to trainer process: end this attempt at the next batch. keep: export the best so far."""

    attempt: Attempt
    task_id: TaskId
    keep: bool = False


class Ready(Message, frozen=True):
    """Trainer process to agent: TensorFlow is loaded."""

    versions: Annotated[
        dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=256)]], Meta(max_length=64)
    ]


class Report(Message, frozen=True):
    """Trainer process to agent: the progress. With phase_end and phase_expected_s the agent can move the percentage on
    while a stage reports nothing.
    """

    progress: Number
    phase: Word
    phase_end: Number
    phase_expected_s: Number
    remaining_s: Number
    epoch: Whole = 0
    metrics: Numbers = {}
    model_path: Text = ""
    remaining_low_s: Number = -1.0
    remaining_high_s: Number = -1.0

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "metrics", kept_numbers(self.metrics))


class Ended(Message, frozen=True):
    """Trainer process to agent: the attempt is over. rss_mb: memory that the process holds now."""

    result: Result
    rss_mb: Number


AgentToTrainer = Train | Halt
TrainerToAgent = Ready | Report | Ended
