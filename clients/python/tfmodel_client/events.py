"""Iterates over what happens to tasks, as long as the caller wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmodel_client.event_source import EventSource
from tfmodel_client.paths import Pairs, path_of, query_of
from tfmodel_client.retrying import ask
from tfmodel_client.steps import Give, ItemPlan, Plan, Request
from tfmodel_client.types import Event, EventList

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tfmodel_client.types import EventFilters

#: A task that one of these is told of has ended. After the first one only model.promoted may follow, at any time.
LAST_EVENTS = frozenset({"task.done", "task.failed", "task.cancelled", "model.promoted"})


def events(task_id: str = "", since: int | None = None, **filters: Unpack[EventFilters]) -> ItemPlan[Event]:
    """What happens to tasks, live. Lost connections are made again for ever, and no fact is missed or comes twice.

    task_id: for the events of one task, from its first one to its last one, with which they end. Without it, those of
    all tasks from now on, which never end. since: the id of the last event that the caller has, to continue after it.

    An event of type "reset" says that events were missed because the server does not keep them any more: look at the
    tasks as they are then. The events continue after it.
    """
    path = path_of("v1", "tasks", task_id, "events") if task_id else path_of("v1", "events")
    query = query_of(filters)
    if since is None:
        since = 0 if task_id else (yield from _newest(path, query))
    source = EventSource(path, query, since)
    while not source.is_over:
        for event in (yield from source.read()):
            yield Give(event)
            if task_id and event.type in LAST_EVENTS:
                return


def _newest(path: str, query: Pairs) -> Plan[int]:
    """The number of the newest event. A reader that begins there misses nothing if the first connection breaks."""
    page = yield from ask(Request("GET", path, (*query, ("wait", "0"))), EventList)
    return page.next
