"""Serves all open streams. None holds a queue: when something happens a stream is told, and then it reads the log.

All of them are served by one loop of plain calls. A coroutine that woke up for each event would take several times as
long as sending it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from web.broker_link.broker_requests import BrokerAwayError
from web.live.catching_up import CatchingUp
from web.live.live_feed import LiveFeed
from web.live.reader import MOST_BYTES
from web.live.stream import COMMENT, Stream

#: How many streams are served in one turn of the event loop, so that other calls get their turn.
STREAMS_A_TURN = 100
SWEEP_INTERVAL_S = 1.0
COMMENT_INTERVAL_S = 15.0
#: How long a stream waits before it asks again for what the broker has not told.
BROKER_AWAY_PAUSE_S = 1.0


class Streams:
    """Create it inside a running event loop."""

    def __init__(self, feed: LiveFeed, catching_up: CatchingUp) -> None:
        self._feed = feed
        self._catching_up = catching_up
        self._told: deque[Stream] = deque()
        self._open: dict[Stream, None] = {}
        self._loop = asyncio.get_running_loop()
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._is_closing = False

    def __len__(self) -> int:
        return len(self._open)

    async def run(self, stream: Stream) -> None:
        """Send events to the stream until its caller is gone, its task has ended, or the front-end stops."""
        reader, log = stream.reader, self._feed.log
        self._open[stream] = None
        self._feed.subscribers.add(stream)
        self._feed.show_progress_of(reader.interest.task_id)
        if self._sweep_timer is None:
            self._sweep_timer = self._loop.call_later(SWEEP_INTERVAL_S, self._sweep)
        try:
            while not (self._is_closing or stream.is_over or reader.ended):
                if reader.is_in(log):
                    await self._follow(stream)
                else:
                    await self._catch_up(stream)
        finally:
            self._feed.subscribers.remove(stream)
            del self._open[stream]

    def tell(self, stream: Stream) -> None:
        """There may be something to read for the stream. It is served soon."""
        if stream.is_told:
            return
        stream.is_told = True
        if not self._told:
            self._loop.call_soon(self._serve_told)
        self._told.append(stream)

    def close(self) -> None:
        """End all streams."""
        self._is_closing = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        for stream in self._open:
            stream.awake.set()

    async def _follow(self, stream: Stream) -> None:
        """Let the loop serve the stream, until something else must be done for it."""
        stream.is_following = True
        stream.tell()
        try:
            await stream.awake.wait()
        finally:
            stream.is_following = False
            stream.awake.clear()

    def _serve_told(self) -> None:
        for _ in range(min(len(self._told), STREAMS_A_TURN)):
            stream = self._told.popleft()
            stream.is_told = False
            if stream.is_following and not stream.is_blocked:
                self._serve(stream)
        if self._told:
            self._loop.call_soon(self._serve_told)

    def _serve(self, stream: Stream) -> None:
        """Send what there is to read, until the caller's socket is full."""
        reader, feed = stream.reader, self._feed
        while reader.is_in(feed.log):
            sse = b"".join([event.sse for event in reader.read(feed.log, feed.board)])
            if sse:
                stream.write(sse)
            if reader.ended:
                break
            if len(sse) < MOST_BYTES or stream.is_blocked:
                return  # Nothing is left, or the caller must read first.
        stream.awake.set()

    async def _catch_up(self, stream: Stream) -> None:
        try:
            events = await self._catching_up.read_past(stream.reader)
            if events is None:
                stream.write(await self._catching_up.reset(stream.reader))
            elif events:
                stream.write(b"".join([event.sse for event in events]))
        except BrokerAwayError:
            await asyncio.sleep(BROKER_AWAY_PAUSE_S)
        await stream.drain()

    def _sweep(self) -> None:
        """Send comments, end streams that may not go on, and keep the positions of the others in the log."""
        now_s = time.monotonic()
        for stream in self._open:
            if not stream.may_go_on():
                stream.end()
            elif not stream.is_blocked:
                if stream.is_following and not stream.is_told:
                    stream.reader.skip(self._feed.log)  # It has read all that concerns it.
                if now_s - stream.written_at_s >= COMMENT_INTERVAL_S:
                    stream.write(COMMENT)
        self._sweep_timer = self._loop.call_later(SWEEP_INTERVAL_S, self._sweep) if self._open else None
