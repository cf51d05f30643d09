"""Long polls: calls that wait until there is something to read, for callers that cannot read a stream."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec

from web.live.catching_up import CatchingUp
from web.live.encoded_event import EncodedEvent
from web.live.interest import Interest
from web.live.live_feed import LiveFeed
from web.live.reader import Reader


class Polled(msgspec.Struct, frozen=True):
    """What a long poll has read. is_reset: events were missed that are no longer kept."""

    events: list[EncodedEvent]
    is_reset: bool = False


class _LongPoll:
    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.awake = asyncio.Event()

    def tell(self) -> None:
        self.awake.set()


class LongPolls:
    def __init__(self, feed: LiveFeed, catching_up: CatchingUp) -> None:
        self._feed = feed
        self._catching_up = catching_up
        self._open: dict[_LongPoll, None] = {}
        self._is_closing = False

    def __len__(self) -> int:
        return len(self._open)

    async def events(self, reader: Reader, wait_s: float) -> Polled:
        """Return as soon as there is something to read, or with nothing after wait_s. Raises BrokerAwayError."""
        loop, feed = asyncio.get_running_loop(), self._feed
        give_up_at_s = loop.time() + wait_s
        waiting = _LongPoll(reader)
        feed.subscribers.add(waiting)
        self._open[waiting] = None
        try:
            while True:
                waiting.awake.clear()
                is_in = reader.is_in(feed.log)
                events = reader.read(feed.log, feed.board) if is_in else await self._catching_up.read_past(reader)
                if events is None:
                    await self._catching_up.reset(reader)
                    return Polled([], is_reset=True)
                left_s = give_up_at_s - loop.time()
                if events or reader.ended or self._is_closing or left_s <= 0:
                    return Polled(events)
                if is_in:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(waiting.awake.wait(), left_s)
        finally:
            feed.subscribers.remove(waiting)
            del self._open[waiting]

    async def changed(self, task_id: str, since: int, wait_s: float) -> None:
        """Return when something has happened to the task after fact number `since`, or after wait_s.

        A new progress counts as well if it comes while this waits. Raises BrokerAwayError if the broker must be asked
        what has happened since then, and is away.
        """
        # The log may not have `since` yet: the broker's answer to a POST may arrive before what it publishes.
        reader = Reader(Interest(task_id), since, self._feed.log, seen=self._feed.board.version)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):  # also for the broker's answer, for which `events` waits longer
                await self.events(reader, wait_s)

    def close(self) -> None:
        """End all waiting."""
        self._is_closing = True
        for waiting in self._open:
            waiting.tell()
