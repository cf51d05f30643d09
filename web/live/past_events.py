"""Reads events that have left the front-end's memory, page by page, from the broker's journal."""

from __future__ import annotations

import asyncio

import msgspec

from protocol.queries import EventsPart, EventsWanted
from web.broker_link.broker_requests import BrokerAwayError, BrokerRequests
from web.live.encoded_event import EncodedEvent, encoded

#: The most events of a page for a reader. It is small, because each slow reader may hold one page in memory.
PAGE_EVENTS = 100
#: The most requests at once. Thousands of readers may come back at the same moment.
REQUESTS_AT_ONCE = 8


class Page(msgspec.Struct, frozen=True):
    """up_to, kept_after, seq: as in protocol.queries.EventsPart."""

    events: list[EncodedEvent]
    up_to: int
    kept_after: int
    seq: int


class PastEvents:
    """Create it inside a running event loop."""

    def __init__(self, requests: BrokerRequests) -> None:
        self._requests = requests
        self._slots = asyncio.Semaphore(REQUESTS_AT_ONCE)
        self._running: dict[tuple[int, str, int], asyncio.Task[Page]] = {}

    async def after(self, position: int, task_id: str = "", most: int = PAGE_EVENTS) -> Page:
        """The first events after the position. task_id: of this task alone, unless "".

        Readers who ask the same at the same time share one answer. Raises BrokerAwayError.
        """
        key = position, task_id, most
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.create_task(self._ask(*key))
            running.add_done_callback(lambda _: self._running.pop(key))
        return await asyncio.shield(running)

    async def _ask(self, position: int, task_id: str, most: int) -> Page:
        async with self._slots:
            answer = await self._requests.request(lambda request_id: EventsWanted(request_id, position, task_id, most))
        if not isinstance(answer, EventsPart):
            raise BrokerAwayError  # A broker of another release does not know the question.
        return Page([encoded(event) for event in answer.events], answer.up_to, answer.kept_after, answer.seq)
