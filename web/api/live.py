"""Events, as callers ask for them and get them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.bounds import Whole
from protocol.events import EVENT_TYPES, Event, EventType
from web.api.original import BriefTask
from web.api.url_text import UrlText

Types = Annotated[
    tuple[EventType, ...], Meta(max_length=len(EVENT_TYPES), description="one or more types of events; all if left out")
]
Since = Annotated[
    Whole | None,
    Meta(description="the `id` of the last event that the caller has; the header Last-Event-ID goes before it"),
]
WaitOrNone = Annotated[
    Annotated[float, Meta(ge=0, le=60)] | None,
    Meta(description="answer with JSON instead of a stream, after at most so many seconds without events"),
]


class EventsQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Which events. Each condition that is given must hold. Without `since`, they begin with the next one."""

    user_id: Annotated[UrlText, Meta(description="events of this user's tasks")] = ""
    project_id: Annotated[UrlText, Meta(description="events of projects with this id")] = ""
    types: Types = ()
    since: Since = None
    wait: WaitOrNone = None


class TaskEventsQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Which events of the task. Without `since`, they begin with its submission."""

    types: Types = ()
    since: Since = None
    wait: WaitOrNone = None


class EventList(msgspec.Struct, frozen=True, rename="camel"):
    """What a call with `wait` got."""

    events: tuple[Event, ...]
    next: Annotated[int, Meta(description="the `since` of the next call")]
    reset: Annotated[
        bool,
        Meta(description="true if events since then are no longer kept: read the tasks anew, and go on from `next`"),
    ] = False


class Reset(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="reset"):
    """Stands in a stream for events that are no longer kept. It has the tasks that have not ended, as they are."""

    id: int
    tasks: tuple[BriefTask, ...]
    truncated: Annotated[bool, Meta(description="true if there are more tasks; GET /v1/tasks lists them all")]
