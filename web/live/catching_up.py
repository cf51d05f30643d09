"""Serves a reader whose position is no longer in the log: with events from the broker's journal, or with the state."""

from __future__ import annotations

import asyncio

from web.broker_link.broker_requests import BrokerAwayError
from web.live.encoded_event import EncodedEvent
from web.live.live_feed import LiveFeed
from web.live.reader import Reader
from web.live.state_event import StateEvents

#: How long to wait for log and cache before looking again.
PAUSE_S = 0.1
MOST_PAUSES = 50


class CatchingUp:
    def __init__(self, feed: LiveFeed) -> None:
        self._feed = feed
        self._states = StateEvents(feed.cache)
        #: How many readers were given the state, because events that they missed are no longer kept.
        self.resets = 0

    async def read_past(self, reader: Reader) -> list[EncodedEvent] | None:
        """The next events for a reader that is not in the log. None if `reset` must be called instead.

        Raises BrokerAwayError. An empty list means that the reader has moved on without finding anything for it.
        """
        feed = self._feed
        await self.settle()
        if reader.is_outdated(feed.log):
            return None
        before, task_id = reader.position, reader.interest.task_id
        page = await feed.past.after(before, task_id)
        if page.seq < before or (before < page.kept_after and not task_id):
            return None  # All facts of a task are deleted together, so a task that is known has all of its facts.
        found, is_more = reader.take(page.events)
        if is_more or reader.ended:
            return found
        if page.up_to <= before and not found and before < feed.log.kept_after:
            raise BrokerAwayError  # The broker's answer does not advance.
        reader.verify(page.up_to)
        entry = feed.cache.get(task_id)
        if entry is not None and entry.task.ended and entry.seq <= reader.position:
            reader.ended = True
        return found

    async def reset(self, reader: Reader) -> bytes:
        """Let the reader go on from now, and return the state as an event of a stream. Raises BrokerAwayError."""
        await self.settle()
        self.resets += 1
        reader.reset(self._feed.log)
        entry = self._feed.cache.get(reader.interest.task_id)
        if entry is not None and entry.task.ended:
            reader.ended = True
        return self._states.sse(reader.interest, (self._feed.log.generation, reader.position))

    async def settle(self) -> None:
        """Wait until log and cache tell the same. Raises BrokerAwayError if that takes too long."""
        for _ in range(MOST_PAUSES):
            if self._feed.is_settled:
                return
            await asyncio.sleep(PAUSE_S)
        raise BrokerAwayError
