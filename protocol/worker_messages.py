"""What workers and the broker say to each other over ROUTER and DEALER. protocol/messages.py has the unions."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.bounds import Attempt, Error, Host, Number, Percent, TaskId, TrainTypes, Whole, Word, WorkerName
from protocol.errors import Failure
from protocol.labels import Labels
from protocol.message import Message
from protocol.options import MAX_TASK_WORKERS
from protocol.task import TaskSpec, Trained

#: The devices of one worker that are named.
MAX_DEVICES = 16
MAX_DEVICE_CHARS = 80

#: The devices that TensorFlow sees, such as "CPU" or "NVIDIA H200".
Devices = Annotated[tuple[Annotated[str, Meta(max_length=MAX_DEVICE_CHARS)], ...], Meta(max_length=MAX_DEVICES)]
#: The version of each program that must fit, by its name in lower case.
Versions = Annotated[dict[Word, Word], Meta(max_length=8)]


class Holding(msgspec.Struct, frozen=True):
    """The attempt that a worker says it holds."""

    task_id: TaskId
    attempt: Attempt


# ---- worker to broker (DEALER to ROUTER) ----


class Hello(Message, frozen=True):
    """If lost: the agent repeats it until the broker answers with Welcome. It registers the worker.

    labels: what the worker has, see protocol/labels.py. pool: the pool of the cluster that started it, or "". versions:
    of the programs that must fit together, such as {"tensorflow": "2.21.0"}.
    """

    worker: WorkerName
    start_id: Word
    host: Host
    train_types: TrainTypes
    ready: bool = False
    holds: Holding | None = None
    draining: bool = False
    labels: Labels = {}
    pool: Word = ""
    versions: Versions = {}


class Heartbeat(Message, frozen=True):
    """If lost: the next one says the same. A lease outlives several lost heartbeats.

    clock_skew_s: by how much the worker's clock is ahead of the broker's, as the worker has measured it.
    helpers_wanted: how many other workers the held attempt could use now. helps: the attempt that this worker helps.
    A worker that helps is still ready for a task.
    """

    ready: bool
    holds: Holding | None = None
    draining: bool = False
    devices: Devices = ()
    memory_mb: Number = 0.0
    tasks_done: Whole = 0
    labels: Labels = {}
    clock_skew_s: Number = 0.0
    helpers_wanted: Annotated[int, Meta(ge=0, le=MAX_TASK_WORKERS - 1)] = 0
    helps: Holding | None = None


class Result(Message, frozen=True):
    """If lost: repeated at every heartbeat until it is acknowledged. Exactly one of these outcomes is set:

    trained: the task is finished and its files are in place. failure: the attempt failed. cancelled: the worker stopped
    as it was told to. handed_back: the worker is leaving, or was told to give the task up. The task goes back to the
    queue, and this attempt does not count towards the limit.
    """

    task_id: TaskId
    attempt: Attempt
    trained: Trained | None = None
    failure: Failure | None = None
    cancelled: bool = False
    handed_back: bool = False
    progress: Percent = 0.0


class HelpOver(Message, frozen=True):
    """If lost: the broker asks this worker for the same help again, and the worker says it again.

    The worker can't help this attempt any more: nothing is left to do, or it can't use the project folder.
    """

    task_id: TaskId
    attempt: Attempt


class Goodbye(Message, frozen=True):
    """If lost: the broker gives the worker up when its lease expires."""


# ---- broker to worker ----


class Welcome(Message, frozen=True):
    """If lost: the agent says Hello again. It tells the agent how often to send heartbeats and where to publish.

    progress_port: 0 if the broker listens at Unix sockets. The agent then publishes at the socket beside the worker's.
    publish_key: identifies this worker to this run of the broker. The worker's progress must carry it.
    at_s: the broker's clock, in seconds since the epoch. Nothing depends on it; the worker warns if its own differs.
    """

    heartbeat_interval_s: Annotated[float, Meta(gt=0.0, le=86400.0)]
    lease_ttl_s: Annotated[float, Meta(gt=0.0, le=86400.0)]
    progress_port: Annotated[int, Meta(ge=0, le=65535)]
    publish_key: Word = ""
    at_s: Number = 0.0


class HelloWanted(Message, frozen=True):
    """If lost: sent again at the next message from this worker, which the broker does not know.

    at_s: the broker's clock, in seconds since the epoch.
    """

    at_s: Number = 0.0


class Rejected(Message, frozen=True):
    """If lost: sent again at the next Hello. The worker must not go on, for example because its name is taken.

    for_good: only a person can help, so the worker ends. Otherwise it goes on saying Hello. Programs of every version
    read this message, so its fields never change (PROTOCOL.md, "Versions").
    """

    error: Error
    for_good: bool = False


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


class Help(Message, frozen=True):
    """If lost: sent again at the worker's next heartbeat, which shows that it does not help.

    The worker is asked to compute features for an attempt that another worker holds. place: a number from 1 on that no
    other helper of the attempt has, so that all of them begin in different places.
    """

    spec: TaskSpec
    attempt: Attempt
    place: Annotated[int, Meta(ge=1, le=MAX_TASK_WORKERS - 1)]


class Pulse(Message, frozen=True):
    """If lost: the next heartbeat brings another one. The answer to a heartbeat, with the order that is pending.

    drain: whether the worker should drain; None if that is not to change. hand_back: whether it should also give the
    task that it holds back to the queue, at once. helps: the attempt that the worker may help; it ends any other help.
    helpers: how many workers help the attempt that this worker holds.
    """

    order: Stop | None = None
    drain: bool | None = None
    hand_back: bool = False
    helps: Holding | None = None
    helpers: Whole = 0


class ResultAck(Message, frozen=True):
    """If lost: the worker repeats the result, and this is sent again.

    discard: the task was cancelled meanwhile, so the worker removes the model that it has published.
    """

    task_id: TaskId
    attempt: Attempt
    discard: bool = False
