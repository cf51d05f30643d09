"""What happens to a task, as callers learn it: the same object in streams, webhooks, the client and the command line.

Every event but `task.progress` is a fact of the broker's journal, and its `id` is the number of that fact. A progress
is not recorded. It has the number of the newest fact before it, so a reader who comes back with the id of the last
event that it has seen misses no fact.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from protocol.artifact import Artifact
from protocol.bounds import Attempt, Error, KnownName, Number, Numbers, Percent, TaskId, Text, Whole, Word
from protocol.metadata import Metadata

EventType = Literal[
    "task.submitted",
    "task.started",
    "task.progress",
    "task.stop_requested",
    "task.cancel_requested",
    "model.usable",
    "artifact.ready",
    "attempt.lost",
    "task.done",
    "task.failed",
    "task.cancelled",
    "model.promoted",
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)
#: A task that one of these is told of has ended. After the first one only model.promoted may follow, at any time.
LAST_EVENTS: frozenset[EventType] = frozenset({"task.done", "task.failed", "task.cancelled", "model.promoted"})


class Event(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """One event of a task.

    at: the time in UTC, as ISO 8601. state, progress (percent), attempt and thread: those of the task after the event.
    The fields below stand only where they apply: phase, epoch, epochs_max, metrics and the remaining seconds with
    task.progress; model_path with model.usable, task.done and model.promoted; artifact with artifact.ready; error and
    code with attempt.lost and task.failed.
    """

    id: Whole
    type: EventType
    at: Annotated[str, Meta(max_length=40)]
    task_id: TaskId
    user_id: Text
    project_id: Text
    train_type: KnownName
    state: Word
    progress: Percent
    attempt: Attempt
    thread: KnownName = ""
    metadata: Metadata = {}
    phase: Word = ""
    epoch: Whole = 0
    epochs_max: Whole = 0
    metrics: Numbers = {}
    eta_seconds: Number | None = None
    eta_range_seconds: tuple[Number, Number] | None = None
    model_path: Text = ""
    artifact: Artifact | None = None
    error: Error = ""
    code: Word = ""


def iso(at_s: float) -> str:
    """The time in UTC as ISO 8601 with milliseconds. at_s: seconds since the epoch."""
    return datetime.datetime.fromtimestamp(at_s, datetime.UTC).isoformat(timespec="milliseconds")
