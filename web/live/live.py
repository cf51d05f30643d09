"""The parts that bring events to callers, put together."""

from __future__ import annotations

import asyncio
import contextlib

from web.broker_link.broker_requests import BrokerRequests
from web.broker_link.task_cache import TaskCache
from web.door.connection import Connection
from web.live.catching_up import CatchingUp
from web.live.interest import Interest
from web.live.live_feed import LiveFeed
from web.live.long_polls import LongPolls
from web.live.past_events import PastEvents
from web.live.reader import Reader
from web.live.stream_slots import StreamSlots
from web.live.streams import Streams

#: How long the end of the front-end waits for callers to be told that their streams end.
END_TIMEOUT_S = 2.0


class Live:
    """Create it inside a running event loop. Pass `feed.take` to Publications, after the listener of the cache."""

    def __init__(self, cache: TaskCache, requests: BrokerRequests, slots: StreamSlots, asking_s: float) -> None:
        """asking_s: see LongPolls."""
        self.feed = LiveFeed(cache, PastEvents(requests))
        self.slots = slots
        self.catching_up = CatchingUp(self.feed)
        self.streams = Streams(self.feed, self.catching_up)
        self.long_polls = LongPolls(self.feed, self.catching_up, asking_s)

    def reader(self, interest: Interest, since: int | None, only_new_progress: bool = False) -> Reader:
        """A reader of the events after number `since`; None means from now on.

        only_new_progress: the progress that is known now counts as read.
        """
        log = self.feed.log
        seen = self.feed.board.version if only_new_progress else 0
        return Reader(interest, log.up_to if since is None else since, log, seen)

    async def changed(self, connection: Connection, task_id: str, since: int, wait_s: float) -> None:
        """Return when something has happened to the task after fact number `since`, or after wait_s.

        connection: of the caller; it takes the slot of a stream meanwhile. Raises Refusal if no slot is left.
        """
        with self.slots.slot(connection):
            await self.long_polls.changed(task_id, since, wait_s)

    async def close(self) -> None:
        """End all streams and waiting calls, and wait until their callers have been told."""
        self.streams.close()
        self.long_polls.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.slots.all_free.wait(), END_TIMEOUT_S)
        self.feed.close()
