"""Long polls: calls that wait until there is something to read, for callers that cannot read a stream."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec

from web.broker_link.broker_requests import BrokerAwayError
from web.live.catching_up import CatchingUp
from web.live.encoded_event import EncodedEvent
from web.live.interest import Interest
from web.live.live_feed import LiveFeed
from web.live.reader import Reader

#: How often a call that waits looks into the log although nothing concerns it. So its position stays in the log.
LOOK_INTERVAL_S = 10.0


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
    def __init__(self, feed: LiveFeed, catching_up: CatchingUp, asking_s: float) -> None:
        """asking_s: how long the broker may be asked in a call that waits for a shorter time, or not at all."""
        self._feed = feed
        self._catching_up = catching_up
        self._asking_s = asking_s
        self._open: dict[_LongPoll, None] = {}
        self._is_closing = False

    def __len__(self) -> int:
        return len(self._open)

    async def events(self, reader: Reader, wait_s: float, began_s: float | None = None) -> Polled:
        """Return as soon as there is something to read, or with nothing after wait_s.

        began_s: when the wait began, by the clock of the event loop; now if left out. Raises BrokerAwayError if the
        broker must be asked what has come so far, and does not answer within wait_s or asking_s, whichever is longer.
        """
        loop, feed = asyncio.get_running_loop(), self._feed
        began_s = loop.time() if began_s is None else began_s
        waiting = _LongPoll(reader)
        feed.subscribers.add(waiting)
        self._open[waiting] = None
        until_s, has_looked = began_s + max(wait_s, self._asking_s), False
        try:
            while True:
                waiting.awake.clear()
                is_in = reader.is_in(feed.log)
                try:
                    polled = Polled(reader.read(feed.log, feed.board)) if is_in else await self._ask(reader, until_s)
                except BrokerAwayError:
                    if not has_looked or reader.is_outdated(feed.log):
                        raise
                    return Polled([])  # Nothing up to the reader's position concerns it. That much is known.
                left_s = began_s + wait_s - loop.time()
                if polled.events or polled.is_reset or reader.ended or self._is_closing or left_s <= 0:
                    return polled
                until_s, has_looked = began_s + wait_s, True
                if is_in:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(waiting.awake.wait(), min(left_s, LOOK_INTERVAL_S))
        finally:
            feed.subscribers.remove(waiting)
            del self._open[waiting]

    async def _ask(self, reader: Reader, until_s: float) -> Polled:
        """Read what is no longer in the log. Raises BrokerAwayError if there is no answer until then."""
        try:
            async with asyncio.timeout_at(until_s):
                events = await self._catching_up.read_past(reader)
                if events is not None:
                    return Polled(events)
                await self._catching_up.reset(reader)
                return Polled([], is_reset=True)
        except TimeoutError:
            raise BrokerAwayError from None

    async def changed(self, task_id: str, since: int, wait_s: float) -> None:
        """Return when something has happened to the task after fact number `since`, or after wait_s.

        A new progress counts as well if it comes while this waits. Raises BrokerAwayError if the broker must be asked
        what has happened up to now, and is away.
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
