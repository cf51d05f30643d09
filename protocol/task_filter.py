"""Which tasks a list shows, and in which order."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.bounds import KnownName, Number, TaskIdOrNone, Text
from protocol.metadata import Metadata
from protocol.task import TaskState

#: A minus means the newest first. A task that has not ended sorts by endedAt as if it had ended just now.
TaskOrder = Literal["-submittedAt", "submittedAt", "-endedAt", "endedAt"]
#: The largest number of tasks on one page.
MAX_PAGE_TASKS = 200
Cursor = Annotated[str, Meta(max_length=200, pattern=r"\A[A-Za-z0-9_.~-]*\Z")]


class TaskFilter(msgspec.Struct, frozen=True):
    """A task is listed if it meets all of these conditions. An empty field sets none.

    submitted_after_s, submitted_before_s: seconds since the epoch; None sets no condition. metadata: the task has all
    of these values. retry_of: the task is a retry of this one. search: the task's id, user or project begins with it.
    """

    user_id: Text = ""
    project_id: Text = ""
    states: Annotated[tuple[TaskState, ...], Meta(max_length=5)] = ()
    train_type: KnownName = ""
    submitted_after_s: Number | None = None
    submitted_before_s: Number | None = None
    metadata: Metadata = {}
    retry_of: TaskIdOrNone = ""
    search: Text = ""
