"""Every message between the processes, one tagged union per direction; PROTOCOL.md says what each is for.

Frozen structs; receivers ignore fields that they do not know, so a field may be added with a default.
The docstring of each message starts with what happens when it is lost.
"""

from __future__ import annotations

import msgspec

from protocol.errors import Failure
from protocol.task import Task, TaskSpec, Trained


class Message(msgspec.Struct, frozen=True, tag=True, tag_field="type", gc=False):
    """What all messages share: the class name travels as `type`. See protocol.task for gc=False."""


class Holding(msgspec.Struct, frozen=True):
    """Names work: one attempt at one task."""

    task_id: str
    attempt: int


class WorkerInfo(msgspec.Struct, frozen=True):
    """One registered worker. ready: could start a task now; holds: the task that it trains, or ""."""

    worker: str
    host: str
    ready: bool
    holds: str
    train_types: tuple[str, ...]


# ---- front-end to broker (DEALER to ROUTER) ----


class Submit(Message, frozen=True):
    """Lost: the front-end repeats it until the deadline of the HTTP call; the same task_id is one task."""

    request_id: int
    spec: TaskSpec


class Lookup(Message, frozen=True):
    """Lost: repeated until the deadline of the HTTP call. Asks for a task that has left the cache."""

    request_id: int
    task_id: str


class Cancel(Message, frozen=True):
    """Lost: repeated until the deadline of the HTTP call; asking twice changes nothing."""

    request_id: int
    task_id: str


class StopEarly(Message, frozen=True):
    """Lost: repeated until the deadline of the HTTP call. End at the next batch, keep the best model so far."""

    request_id: int
    task_id: str


class SnapshotWanted(Message, frozen=True):
    """Lost: asked again after a second."""

    request_id: int


class WorkersWanted(Message, frozen=True):
    """Lost: repeated until the deadline of the HTTP call."""

    request_id: int


# ---- broker to front-end ----


class TaskReply(Message, frozen=True):
    """Lost: the request is repeated. The task as of fact number `seq`, already on disk."""

    request_id: int
    seq: int
    task: Task


class Refused(Message, frozen=True):
    """Lost: the request is repeated. `code` is one of protocol.errors.REFUSAL_CODES."""

    request_id: int
    code: str
    error: str
    task: Task | None = None
    #: With queue_full: the place in the queue that the task would have had, from 1.
    position: int = 0


class SnapshotPart(Message, frozen=True):
    """Lost: the front-end asks for a new snapshot. Parts of one snapshot share `seq` and arrive in order."""

    request_id: int
    seq: int
    tasks: tuple[Task, ...]
    progress: tuple[Progress, ...]
    first: bool
    last: bool


class Workers(Message, frozen=True):
    """Lost: the request is repeated."""

    request_id: int
    workers: tuple[WorkerInfo, ...]


# ---- worker to broker (DEALER to ROUTER) ----


class Hello(Message, frozen=True):
    """Lost: the agent says it again at the next heartbeat, until it is welcomed."""

    worker: str
    start_id: str
    host: str
    train_types: tuple[str, ...]
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

    task_id: str
    attempt: int
    trained: Trained | None = None
    failure: Failure | None = None
    cancelled: bool = False
    handed_back: bool = False
    progress: float = 0.0


class Goodbye(Message, frozen=True):
    """Lost: the worker is reaped when its lease runs out."""


# ---- broker to worker ----


class Welcome(Message, frozen=True):
    """Lost: the agent says Hello again. Tells the agent how often to speak and where to publish progress."""

    heartbeat_interval_s: float
    lease_ttl_s: float
    progress_port: int


class HelloWanted(Message, frozen=True):
    """Lost: sent again for the next message of a worker that the broker does not know."""


class Rejected(Message, frozen=True):
    """Lost: sent again for the next Hello. The worker must not go on (its name is taken, say)."""

    error: str


class Start(Message, frozen=True):
    """Lost: sent again when a worker's heartbeat shows that it does not hold what it was given."""

    spec: TaskSpec
    attempt: int
    batch_divisor: int = 1


class Stop(Message, frozen=True):
    """Lost: rides on every answer to a heartbeat that still holds the attempt.

    keep: end early but export the best so far. unknown: the broker does not know this attempt (any more).
    """

    task_id: str
    attempt: int
    keep: bool = False
    unknown: bool = False


class Pulse(Message, frozen=True):
    """Lost: the agent notices a silent broker only after several. Answers a heartbeat; carries a pending order."""

    order: Stop | None = None


class ResultAck(Message, frozen=True):
    """Lost: the result is repeated, and this is sent again.

    discard: the task was cancelled; the worker removes what it had published.
    """

    task_id: str
    attempt: int
    discard: bool = False


# ---- published (XSUB to XPUB); all of it may be lost ----


class Progress(Message, frozen=True):
    """Lost: the next one holds absolute values. From the agent, at most four a second.

    progress: percent, 0.0 to 99.9, never going back within an attempt. eta_s: seconds left, -1.0 when unknown.
    model_path: a first usable model, "" before there is one. eta_low_s, eta_high_s: the range that holds the real end
    about eight times in ten, -1.0 when unknown.
    """

    task_id: str
    attempt: int
    progress: float
    phase: str = ""
    eta_s: float = -1.0
    epoch: int = 0
    metrics: dict[str, float] = {}
    model_path: str = ""
    eta_low_s: float = -1.0
    eta_high_s: float = -1.0


class TaskChanged(msgspec.Struct, frozen=True, gc=False):
    """The task as fact number `seq` left it."""

    seq: int
    task: Task


class TasksChanged(Message, frozen=True):
    """Lost: the front-end sees a gap in the numbers and asks for a snapshot. Fast copies of one commit's facts."""

    changes: tuple[TaskChanged, ...]


class Tick(Message, frozen=True):
    """Lost: the next comes within a second. Shows the front-end that the broker lives, and a gap at the end.

    workers: registered; warm: with TensorFlow loaded (ready or training); free: ready and without a task.
    pending: tasks that would start if a worker were free.
    """

    seq: int
    workers: int
    warm: int
    free: int
    pending: int


WebToBroker = Submit | Lookup | Cancel | StopEarly | SnapshotWanted | WorkersWanted
BrokerToWeb = TaskReply | Refused | SnapshotPart | Workers
WorkerToBroker = Hello | Heartbeat | Result | Goodbye
BrokerToWorker = Welcome | HelloWanted | Rejected | Start | Stop | Pulse | ResultAck
Published = Progress | TasksChanged | Tick


# ---- the pipe between agent and trainer process ----


class Train(Message, frozen=True):
    """Agent to trainer process: train this. The pipe loses nothing; its end is the end of both."""

    spec: TaskSpec
    attempt: int
    batch_divisor: int = 1


class Halt(Message, frozen=True):
    """Agent to trainer process: end this attempt at the next batch. keep: export the best so far."""

    attempt: int
    task_id: str
    keep: bool = False


class Ready(Message, frozen=True):
    """Trainer process to agent: TensorFlow is loaded."""

    versions: dict[str, str]


class Report(Message, frozen=True):
    """Trainer process to agent: where it is. phase_end and phase_expected_s let the agent fill silent stages in."""

    progress: float
    phase: str
    phase_end: float
    phase_expected_s: float
    remaining_s: float
    epoch: int = 0
    metrics: dict[str, float] = {}
    model_path: str = ""
    remaining_low_s: float = -1.0
    remaining_high_s: float = -1.0


class Ended(Message, frozen=True):
    """Trainer process to agent: the attempt is over. rss_mb: memory that the process holds now."""

    result: Result
    rss_mb: float


AgentToTrainer = Train | Halt
TrainerToAgent = Ready | Report | Ended
