"""All that brings events to callers, put together."""

from __future__ import annotations

import asyncio
import contextlib

from web.broker_link.broker_requests import BrokerRequests
from web.broker_link.task_cache import TaskCache
from web.door.connection import Connection
from web.live.catching_up import CatchingUp
from web.live.interest import Interest
from web.live.news import News
from web.live.past_events import PastEvents
from web.live.reader import Reader
from web.live.seats import StreamSeats
from web.live.streams import Streams
from web.live.waits import Waits

#: How long the end of the front-end waits for callers to be told that their streams end.
END_TIMEOUT_S = 2.0


class Live:
    """Create it inside a running event loop. Pass `news.take` to Publications, after the listener of the cache."""

    def __init__(self, cache: TaskCache, requests: BrokerRequests, seats: StreamSeats) -> None:
        self.news = News(cache, PastEvents(requests))
        self.seats = seats
        self.catching_up = CatchingUp(self.news)
        self.streams = Streams(self.news, self.catching_up)
        self.waits = Waits(self.news, self.catching_up)

    def reader(self, interest: Interest, since: int | None, only_new_progress: bool = False) -> Reader:
        """A reader of the events after number `since`; None means from now on.

        only_new_progress: the progress that is known now counts as read.
        """
        log = self.news.log
        seen = self.news.board.version if only_new_progress else 0
        return Reader(interest, log.up_to if since is None else since, log, seen)

    async def changed(self, connection: Connection, task_id: str, since: int, wait_s: float) -> None:
        """Return when something has happened to the task after fact number `since`, or after wait_s.

        connection: of the caller, which takes the seat of a stream meanwhile. Raises Refusal if there is none left.
        """
        with self.seats.seat(connection):
            await self.waits.changed(task_id, since, wait_s)

    async def close(self) -> None:
        """End all streams and waiting calls, and wait until their callers have been told."""
        self.streams.close()
        self.waits.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.seats.are_free.wait(), END_TIMEOUT_S)
        self.news.close()
