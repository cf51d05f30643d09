"""The task: what a caller asked for, and everything durable that has happened to it since.

gc=False: these cannot refer to themselves, and without it the garbage collector would walk through every
task that the broker and the front-end hold, again and again.
"""

from __future__ import annotations

import enum
import math
import re
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.errors import Failure
from protocol.options import OptionValue

_TASK_ID = re.compile("[0-9a-f]{32}")
#: A task id names folders, so it is never anything but 32 lower-case hex digits.
TaskId = Annotated[str, Meta(pattern=rf"^{_TASK_ID.pattern}\Z")]


def is_task_id(text: str) -> bool:
    return _TASK_ID.fullmatch(text) is not None


class TaskState(enum.StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED_STATES = frozenset({TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED})


class TaskSpec(msgspec.Struct, frozen=True, gc=False):
    """What was asked for; never changes.

    project_dir: as the caller wrote it, for the answers; project_path: the same folder, absolute and with
    links resolved, for the worker. options: checked by protocol.options, camelCase keys. request_key: the
    caller's Idempotency-Key, "" for none; of one user, the same key means the same task for a day.

    seen_device, seen_inode: the folder as the front-end found it, so that the worker notices when another one stands
    in its place; 0 where that is not known. seen_on: the system that seen_device is a number of (conf/machine.py).
    """

    task_id: str
    user_id: str
    project_id: str
    project_dir: str
    project_path: str
    train_type: str
    options: dict[str, OptionValue] = {}
    priority: int = 0
    max_seconds: int = 0
    request_key: str = ""
    seen_on: str = ""
    seen_device: int = 0
    seen_inode: int = 0

    def same_request(self, other: TaskSpec) -> bool:
        """Whether both ask for the same, whatever their taskIds and whatever the front-end has seen of the folder."""
        return self._asked() == other._asked()

    def _asked(self) -> TaskSpec:
        return msgspec.structs.replace(self, task_id="", seen_on="", seen_device=0, seen_inode=0)


class Trained(msgspec.Struct, frozen=True, gc=False):
    """What a worker says of a finished task. model_path: the file to hand to the user. end_reason: why training ended,
    a word ("converged", "epochs", "budget", "stopped", "diverged").

    Numbers that are not finite (a loss that ran away) are left out: JSON, and so the journal, cannot hold them.
    """

    model_path: str
    metrics: dict[str, float] = {}
    stage_seconds: dict[str, float] = {}
    stopped_early: bool = False
    end_reason: str = ""

    def __post_init__(self) -> None:
        for name in ("metrics", "stage_seconds"):
            numbers = getattr(self, name)
            finite = {key: number for key, number in numbers.items() if math.isfinite(number)}
            msgspec.structs.force_setattr(self, name, finite)


class AttemptEnd(msgspec.Struct, frozen=True, gc=False):
    """How an attempt that did not finish the task ended.

    counted: whether it counts towards the limit on attempts; a worker that hands its task back does not use one up.
    """

    attempt: int
    worker: str
    code: str
    error: str
    at_s: float
    counted: bool = True


class Task(msgspec.Struct, frozen=True, gc=False):
    """A task as the journal knows it; progress in flight is a message of its own (protocol.messages.Progress).

    attempt: the current try, or the next one while pending; rises by one each time the task goes back to the queue.
    thread: name of the worker that holds it, or held it at its end; "" while pending.
    start_id: which start of that worker; of one name on one host, a later start compares greater.
    progress: percent at the end of the task, 0.0 before.
    batch_divisor: the trainer divides its batch size by this (2 after running out of memory).
    Times are seconds since the epoch, 0.0 for "not yet".
    """

    spec: TaskSpec
    state: TaskState = TaskState.PENDING
    attempt: int = 1
    thread: str = ""
    start_id: str = ""
    progress: float = 0.0
    submitted_at_s: float = 0.0
    started_at_s: float = 0.0
    ended_at_s: float = 0.0
    cancel_requested: bool = False
    stop_requested: bool = False
    batch_divisor: int = 1
    trained: Trained | None = None
    failure: Failure | None = None
    ended_attempts: tuple[AttemptEnd, ...] = ()

    @property
    def task_id(self) -> str:
        return self.spec.task_id

    @property
    def ended(self) -> bool:
        return self.state in ENDED_STATES
