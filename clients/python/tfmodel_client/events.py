"""Iterates over what happens to tasks, as long as the caller wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmodel_client.event_source import EventSource
from tfmodel_client.paths import path_of, query_of
from tfmodel_client.steps import Give, ItemPlan
from tfmodel_client.types import Event

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tfmodel_client.types import EventFilters

#: After one of these, nothing more happens to a task.
LAST_EVENTS = frozenset({"task.done", "task.failed", "task.cancelled"})


def events(task_id: str = "", since: int | None = None, **filters: Unpack[EventFilters]) -> ItemPlan[Event]:
    """What happens to tasks, live. Lost connections are made again for ever, and no fact is missed or comes twice.

    task_id: for the events of one task, which end with the task; "" for those of all tasks, which never end.
    since: the id of the last event that the caller has; without it, the events are those from now on.
    """
    path = path_of("v1", "tasks", task_id, "events") if task_id else path_of("v1", "events")
    source = EventSource(path, query_of(filters), since)
    while True:
        for event in (yield from source.read()):
            yield Give(event)
            if task_id and event.type in LAST_EVENTS:
                return
