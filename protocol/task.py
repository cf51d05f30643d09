"""The task: what a caller asked for, and every durable change since then.

gc=False excludes these values from garbage collection. They cannot contain reference cycles, and the collector would
otherwise visit every task that the broker and the front-end hold, again and again.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.artifact import Artifacts, UsableModel
from protocol.bounds import (
    MAX_ATTEMPT_ERROR_CHARS,
    MAX_ENDED_ATTEMPTS,
    Attempt,
    AttemptError,
    KnownName,
    Number,
    Numbers,
    Percent,
    RequestKey,
    TaskId,
    TaskIdOrNone,
    Text,
    TraceParent,
    Warnings,
    Whole,
    Word,
    kept_numbers,
    kept_warnings,
    shortened,
)
from protocol.comparison import Comparison
from protocol.data_report import DataReport
from protocol.end_reason import EndReason
from protocol.errors import Failure
from protocol.metadata import Metadata
from protocol.options import Options


class TaskState(enum.StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED_STATES = frozenset({TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED})


class TaskSpec(msgspec.Struct, frozen=True, gc=False):
    """What the caller asked for. It never changes.

    project_dir: the folder as the caller wrote it, for the answers. project_path: the same folder for the worker,
    absolute and with links resolved. options: those that the caller gave, by their camelCase names.
    request_key: the caller's Idempotency-Key, or "" for none. For a day, the same key of the same user means the same
    task.

    seen_device, seen_inode: the device and inode numbers of the folder at the POST, written as text because they have
    64 bits; "" if unknown. They let the worker notice that another folder has taken its place.
    seen_on: the system on which seen_device was read (conf/machine.py).
    request_id: the X-Request-Id of the call that posted the task; every log line about the task names it.
    retry_of: the task whose spec this one repeats, or "". webhook: the URL that is told of this task's events, or "".
    traceparent: the span of an OpenTelemetry trace that the spans of the worker are children of, or "".
    """

    task_id: TaskId
    user_id: Text
    project_id: Text
    project_dir: Text
    project_path: Text
    train_type: KnownName
    options: Options = {}
    priority: Annotated[int, Meta(ge=-100, le=100)] = 0
    max_seconds: Whole = 0
    request_key: RequestKey = ""
    seen_on: Word = ""
    seen_device: Word = ""
    seen_inode: Word = ""
    request_id: Word = ""
    metadata: Metadata = {}
    retry_of: TaskIdOrNone = ""
    webhook: Text = ""
    traceparent: TraceParent = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """What the worker must have, see protocol/labels.py: sorted, and each once."""
        given = self.options.get("needs", ())
        return tuple(sorted(set(given))) if isinstance(given, list | tuple) else ()

    def same_request(self, other: TaskSpec) -> bool:
        """Whether both requests are the same. Ids, the folder's device and inode, and the trace do not matter."""
        return self._asked() == other._asked()

    def _asked(self) -> TaskSpec:
        return msgspec.structs.replace(
            self, task_id="", seen_on="", seen_device="", seen_inode="", request_id="", traceparent=""
        )


class Trained(msgspec.Struct, frozen=True, gc=False):
    """A worker's report of a finished task. model_path: the file that the website hands to its user.

    warnings: sentences for the person with the pictures, on the folder and on the model. data: the report on the
    folder, shortened. comparison: with the model that was in use before; None if there was none.
    artifacts: the files of the model folder, as this attempt has written them, so nobody who can only write to the
    folder can forge them. taken_over_from: the task whose model this is a copy of, or this task itself if an earlier
    attempt had published the model, or "". The artifacts are then those that the folder named, and they are only as
    good as what the journal has of that task.
    Numbers that are not finite, such as the loss of a diverged training, are left out. The journal is JSON, which
    cannot hold them.
    """

    model_path: Text
    metrics: Numbers = {}
    stage_seconds: Numbers = {}
    end_reason: EndReason = EndReason.UNKNOWN
    warnings: Warnings = ()
    data: DataReport = DataReport()
    comparison: Comparison | None = None
    artifacts: Artifacts = ()
    taken_over_from: TaskIdOrNone = ""

    def __post_init__(self) -> None:
        for name in ("metrics", "stage_seconds"):
            msgspec.structs.force_setattr(self, name, kept_numbers(getattr(self, name)))
        msgspec.structs.force_setattr(self, "warnings", kept_warnings(self.warnings))

    @property
    def stopped_early(self) -> bool:
        return self.end_reason is EndReason.STOPPED

    @property
    def promoted(self) -> bool:
        """Whether the gate pointed models/latest to this model."""
        return self.comparison is None or self.comparison.promoted


class AttemptEnd(msgspec.Struct, frozen=True, gc=False):
    """How an attempt ended that did not finish its task.

    counted: whether it counts towards the limit on attempts. A task that its worker hands back has not used one up.
    """

    attempt: Attempt
    worker: KnownName
    code: Word
    error: AttemptError
    at_s: Number
    counted: bool = True

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "error", shortened(self.error, MAX_ATTEMPT_ERROR_CHARS))


class Task(msgspec.Struct, frozen=True, gc=False):
    """A task as the journal records it. The progress of a running task travels as protocol.messages.Progress.

    attempt: the number of the current attempt, or of the next one while the task is pending. It rises by one each time
    the task goes back to the queue.
    thread: the name of the worker that holds the task, or held it when it ended; "" while it is pending.
    progress: the percentage at which the task ended; 0.0 until then.
    batch_divisor: the trainer divides its batch size by this number. It doubles each time memory runs out.
    usable: the best model so far of a task that is being trained within a time budget, once there is one.
    promoted_at_s: when a person last pointed models/latest to the model of this task.
    Times are seconds since the epoch; 0.0 means "not yet".
    """

    spec: TaskSpec
    state: TaskState = TaskState.PENDING
    attempt: Attempt = 1
    thread: KnownName = ""
    progress: Percent = 0.0
    submitted_at_s: Number = 0.0
    started_at_s: Number = 0.0
    ended_at_s: Number = 0.0
    cancel_requested: bool = False
    stop_requested: bool = False
    batch_divisor: Annotated[int, Meta(ge=1, le=2**62)] = 1
    trained: Trained | None = None
    failure: Failure | None = None
    ended_attempts: Annotated[tuple[AttemptEnd, ...], Meta(max_length=MAX_ENDED_ATTEMPTS)] = ()
    usable: UsableModel | None = None
    promoted_at_s: Number = 0.0

    @property
    def task_id(self) -> str:
        return self.spec.task_id

    @property
    def queued_at_s(self) -> float:
        """When the task came into the queue, or last came back into it."""
        return self.ended_attempts[-1].at_s if self.ended_attempts else self.submitted_at_s

    @property
    def ended(self) -> bool:
        return self.state in ENDED_STATES

    @property
    def promoted(self) -> bool:
        """Whether models/latest was pointed to this task's model, by the gate or by a person."""
        return self.promoted_at_s > 0 or (self.trained is not None and self.trained.promoted)

    @property
    def in_use_since_s(self) -> float:
        """When models/latest was last pointed to this task's model, by the gate or by a person; 0.0 if it never was.

        Of all tasks of a project, the one with the latest time has made the model in use.
        """
        by_gate_s = self.ended_at_s if self.trained is not None and self.trained.promoted else 0.0
        return max(by_gate_s, self.promoted_at_s)

    @property
    def data(self) -> DataReport | None:
        """What was found in the folder; None before the end of the task, and where nobody looked."""
        if self.trained is not None:
            return self.trained.data
        return self.failure.data if self.failure is not None else None

    @property
    def warnings(self) -> Sequence[str]:
        """What the person with the pictures should read, once the task has ended."""
        if self.trained is not None:
            # Once a person has chosen the model, it is no longer true that it is not in use.
            compared = self.trained.comparison if not self.promoted_at_s else None
            return [*(compared.warnings if compared else ()), *self.trained.warnings]
        return self.failure.data.warnings() if self.failure is not None else ()
