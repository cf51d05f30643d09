"""`/v1/queue`: the waiting tasks in the order in which the broker starts them."""

from __future__ import annotations

from protocol import queries as q
from protocol.events import iso
from web.answers.views import time_or_none
from web.api.queue import QueueEntry, QueueQuery, QueueView
from web.broker_link.task_cache import Entry
from web.forecast.eta import End
from web.json_handler import JsonHandler


class QueueHandler(JsonHandler):
    """GET lists them. A token of one user shows that user's tasks, at their places in the whole queue."""

    query: QueueQuery

    async def get(self) -> None:
        query, user_id, cache = self.query, self.caller.user, self.services.cache
        part = await self.ask(lambda request_id: q.QueueWanted(request_id, user_id, query.cursor, query.limit))
        assert isinstance(part, q.QueuePart)
        found = [(place, cache.get(place.task_id)) for place in part.places]
        # A task that has started or ended since then is not in the queue any more.
        waiting = [(place, entry) for place, entry in found if entry is not None and not entry.task.ended]
        ends = await self.services.forecaster.ends_of([entry.task for _, entry in waiting])
        entries = tuple(_entry(place.position, entry, ends.get(place.task_id)) for place, entry in waiting)
        self.send(QueueView(entries, part.waiting, part.next))


def _entry(position: int, entry: Entry, end: End | None) -> QueueEntry:
    spec = entry.task.spec
    return QueueEntry(
        position=position,
        task_id=spec.task_id,
        user_id=spec.user_id,
        project_id=spec.project_id,
        train_type=spec.train_type,
        priority=spec.priority,
        submitted_at=time_or_none(entry.task.submitted_at_s),
        estimated_start_at=iso(end.start_at_s) if end else None,
        estimated_end_at=iso(end.middle_at_s) if end else None,
    )
