"""What is published over PUB and SUB. Every message may be lost. protocol/messages.py has the unions."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.artifact import UsableModel
from protocol.bounds import (
    NO_CONTROL_CHARS,
    Attempt,
    KnownName,
    Number,
    Numbers,
    Percent,
    TaskId,
    Whole,
    Word,
    WorkerName,
)
from protocol.events import Event
from protocol.labels import Needs
from protocol.message import MAX_LISTED, Message
from protocol.pools import Pools
from protocol.task import Task

#: The most kinds of dropped messages that a tick may name.
MAX_DROPPED_KINDS = 32
#: The most kinds of waiting tasks that a tick says lack a worker.
MAX_UNMET = 32
#: -1.0 means unknown.
Seconds = Annotated[float, Meta(ge=-1.0, le=1e9)]
#: The name of a machine. It is "" if no other broker can lead.
Leader = Annotated[str, Meta(max_length=255, pattern=NO_CONTROL_CHARS)]


class Progress(Message, frozen=True):
    """If lost: the next one makes up for it, because all values are absolute. There are at most four a second.

    progress: percent from 0.0 to 99.9, which never falls within an attempt. eta_s: seconds left, or -1.0 if unknown.
    usable: the best usable model so far, or None before there is one.
    eta_low_s, eta_high_s: a range in seconds that holds the real end in about eight of ten tasks, or -1.0 if unknown.
    epochs_max: the most epochs of this phase, or 0 if it has none. helpers: how many other workers help the attempt.
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
    helpers: Whole = 0


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


class UnmetNeeds(msgspec.Struct, frozen=True, gc=False):
    """Tasks of this trainType with these needs wait, and no registered worker can train them."""

    train_type: KnownName
    needs: Needs


class Tick(Message, frozen=True):
    """If lost: the next one comes within a second. It shows that the broker is alive, and how far its facts go.

    workers: how many are registered. warm: how many have loaded TensorFlow (they are ready or training). free: how many
    are ready and have no task. pending: tasks that would start if a worker were free. started_at_s: when this run of
    the broker began, in seconds since the epoch. dropped: how many messages it has dropped since then, by kind.
    draining: idle workers that take no new task. last_tasks: those that busy workers train which take no new task after
    them. memory_mb: what the processes of each worker hold, by its name.
    pools: those of the cluster's newest report; () if there is none. overdue: waiting tasks that a free worker could
    start; a broker without faults gives them out at once.
    unmet: what waiting tasks lack a worker for.
    term: how often the leadership had changed when this broker began to lead. It is 0 if no other broker can lead.
    leader: the machine of this broker.
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
    pools: Pools = ()
    overdue: Whole = 0
    unmet: Annotated[tuple[UnmetNeeds, ...], Meta(max_length=MAX_UNMET)] = ()
    term: Whole = 0
    leader: Leader = ""
    last_tasks: Annotated[tuple[TaskId, ...], Meta(max_length=MAX_LISTED)] = ()
