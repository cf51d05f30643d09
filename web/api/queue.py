"""The queue: what waits, in which order, and until when."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.task_filter import MAX_PAGE_TASKS


class QueueQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Which part of the queue."""

    cursor: Annotated[int, Meta(ge=0, le=2**53, description="`next` of the page before; 0 for the first page")] = 0
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE_TASKS, description="tasks on a page")] = 50


class QueueEntry(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A waiting task."""

    position: Annotated[int, Meta(description="1 for the task that starts next")]
    task_id: str
    user_id: str
    project_id: str
    train_type: str
    priority: int
    submitted_at: str | None
    estimated_start_at: Annotated[str | None, Meta(description="null while nothing can be said, as without workers")]
    estimated_end_at: str | None


class QueueView(msgspec.Struct, frozen=True, rename="camel"):
    """Waiting tasks in the order in which they start, if every worker can train them."""

    queue: tuple[QueueEntry, ...]
    waiting: Annotated[int, Meta(description="all waiting tasks, also those of other users")]
    next: Annotated[int, Meta(description="the cursor of the next page; 0 after the last one")]
