"""Puts what the broker publishes into the log and onto the progress board, and tells the subscribers."""

from __future__ import annotations

import asyncio
import time

from protocol import messages as m
from protocol.events import LAST_EVENTS
from protocol.queries import MAX_EVENTS
from web.broker_link.broker_requests import BrokerAwayError
from web.broker_link.task_cache import TaskCache
from web.live.encoded_event import EncodedEvent, encoded
from web.live.event_log import EventLog
from web.live.past_events import PastEvents
from web.live.progress_board import ProgressBoard
from web.live.subscribers import Subscribers

#: How often the board is asked for progress that came too soon after the one before.
SHOW_INTERVAL_S = 0.1
#: After these events the progress of their attempt means nothing.
ENDS_OF_ATTEMPTS = LAST_EVENTS | {"attempt.lost"}


class LiveFeed:
    """Pass `take` to Publications as a listener, after that of the cache. Create it inside a running event loop."""

    def __init__(self, cache: TaskCache, past: PastEvents) -> None:
        self.cache = cache
        self.past = past
        self.log = EventLog()
        self.board = ProgressBoard()
        self.subscribers = Subscribers()
        self._loop = asyncio.get_running_loop()
        self._filling: asyncio.Task[None] | None = None
        self._show_timer: asyncio.TimerHandle | None = None
        cache.report_other_journal_to(self._start_anew)

    @property
    def is_settled(self) -> bool:
        """Whether log and cache have everything that the broker has published, so that they tell the same."""
        cache, log = self.cache, self.log
        return log.begun and not log.behind and cache.synced and not cache.behind and cache.seq >= log.up_to

    def take(self, message: m.Published) -> None:
        match message:
            case m.TasksChanged():
                new: list[EncodedEvent] = []
                for change in message.changes:
                    new += self.log.add(encoded(change.event))
                self._spread(new)
            case m.Progress():
                self._take_progress(message)
            case m.Tick():
                self.log.notice(message.seq)
        if self.log.behind and self._filling is None:
            self._filling = self._loop.create_task(self._fill())

    def close(self) -> None:
        if self._filling is not None:
            self._filling.cancel()
        if self._show_timer is not None:
            self._show_timer.cancel()

    def show_progress_of(self, task_id: str) -> None:
        """Put the progress onto the board that the cache has from a snapshot. Nobody may have published it since."""
        entry = self.cache.get(task_id)
        if entry is not None and entry.progress is not None and not self.board.has(task_id):
            self._take_progress(entry.progress)

    def _take_progress(self, progress: m.Progress) -> None:
        entry = self.cache.get(progress.task_id)
        if entry is not None and entry.progress is progress:  # The cache has not refused it.
            self.board.put(entry.task, progress, entry.seq)
            self._show()

    def _show(self) -> None:
        self.subscribers.tell(self.board.show(self.log.up_to, self._loop.time(), time.time()))
        if self.board.waiting and self._show_timer is None:
            self._show_timer = self._loop.call_later(SHOW_INTERVAL_S, self._show_late)

    def _show_late(self) -> None:
        self._show_timer = None
        self._show()

    def _spread(self, new: list[EncodedEvent]) -> None:
        for event in new:
            if event.type in ENDS_OF_ATTEMPTS:
                self.board.drop(event.task_id, event.attempt)
        self.subscribers.tell(new)
        if self.board.waiting:
            self._show()

    async def _fill(self) -> None:
        """Ask the broker for missing events until none is missing. If it is away, its next publication asks again."""
        try:
            while self.log.behind:
                generation, after = self.log.generation, self.log.up_to
                page = await self.past.after(after, most=MAX_EVENTS)
                if generation != self.log.generation:
                    continue
                self._spread(self.log.fill(page.events, page.up_to, page.kept_after))
                if page.up_to <= after:
                    return
        except BrokerAwayError:
            return
        finally:
            self._filling = None

    def _start_anew(self) -> None:
        self.log.start_anew()
        self.board.clear()
        self.subscribers.tell_everybody()
