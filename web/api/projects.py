"""A project of a user: the model in use, how models came into use, and its tasks."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.task_filter import MAX_PAGE_TASKS, Cursor
from web.api.tasks import TaskSummary


class ProjectQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Which page of the project's tasks."""

    cursor: Annotated[Cursor, Meta(description="`next` of the page before")] = ""
    limit: Annotated[int, Meta(ge=0, le=MAX_PAGE_TASKS, description="tasks on a page")] = 50


class LatestModel(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The model in use: that of the last task that `models/latest` was pointed to, by the gate or by a person."""

    task_id: str
    train_type: str
    model_path: str
    ended_at: str | None
    in_use_since: str | None
    by_person: Annotated[bool, Meta(description="whether a person has made it the one in use")]
    metrics: dict[str, float]


class GateDecision(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Whether a finished model came into use, and why: by the gate at its end, or later by a person."""

    task_id: str
    ended_at: str | None
    promoted: Annotated[bool, Meta(description="whether it came into use, at its end or later")]
    promoted_at: Annotated[str | None, Meta(description="when it last came into use; null if it never did")]
    by_person: Annotated[bool, Meta(description="whether a person has made it the one in use")]
    with_task: Annotated[str, Meta(description="the task of the model that was in use before; empty if there was none")]
    sentence: Annotated[str, Meta(description="the comparison in words; empty without one")]


class ProjectView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A project as the journal knows it. One without tasks has empty lists."""

    user_id: str
    project_id: str
    latest: LatestModel | None
    gate: Annotated[
        tuple[GateDecision, ...],
        Meta(description="whether the model of each of the newest finished tasks came into use, the newest first"),
    ]
    tasks: Annotated[tuple[TaskSummary, ...], Meta(description="a page of its tasks, the newest first")]
    next: Annotated[str, Meta(description="the cursor of the next page of tasks; empty after the last one")]
