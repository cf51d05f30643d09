"""Reads the events of the journal from the broker and hands them over to the store, for each destination once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence

from conf.webhook_settings import WebhookSettings
from protocol import messages as m
from protocol.events import Event
from protocol.queries import EventsPart, EventsWanted
from web.broker_link.broker_requests import BrokerAwayError, BrokerRequests
from web.broker_link.task_cache import TaskCache
from web.own_thread import OwnThread
from web.webhooks.delivery import Count, NewDelivery, Record, Times
from web.webhooks.figures import WebhookFigures
from web.webhooks.receivers import Receivers
from web.webhooks.store import Store

log = logging.getLogger("web")

#: A destination with this many waiting deliveries gets no further ones. The journal keeps them until there is room.
MOST_WAITING = 50_000
#: Events that are read at once.
EVENTS_A_PART = 200
#: How long to wait before asking a broker again that does not answer.
PAUSE_S = 1.0
REMEMBERED_URLS = 10_000


class EventFeed:
    """Create it inside a running event loop."""

    def __init__(
        self,
        requests: BrokerRequests,
        cache: TaskCache,
        store: OwnThread[Store],
        receivers: Receivers,
        settings: WebhookSettings,
    ) -> None:
        self._requests = requests
        self._store = store
        self._receivers = receivers
        self._keep_trying_s = settings.keep_trying_s
        self._urls = TaskUrls(requests, cache)
        self._newest = 0
        #: Up to this fact number, what may have been missed has been reported.
        self._missed_up_to = 0
        self._waiting: Counter[str] = Counter()
        self._wake = asyncio.Event()

    def take(self, message: m.Published) -> None:
        """Listens to what the broker publishes. A tick makes up for changes that were lost."""
        newest = self._newest
        if isinstance(message, m.TasksChanged) and message.changes:
            newest = message.changes[-1].seq
        elif isinstance(message, m.Tick):
            newest = message.seq
        if newest != self._newest:
            self._newest = newest
            self._wake.set()

    def counted(self, counts: Mapping[str, Count]) -> None:
        """Learn how many deliveries of each destination wait. In between, the feed adds what it hands over."""
        full = self._full()
        self._waiting = Counter({name: count.waiting for name, count in counts.items()})
        if full - self._full():
            self._wake.set()

    async def newest(self) -> int:
        """The number of the broker's newest fact. Waits until the broker answers."""
        while True:
            part = await self._part(0, 1)
            if part is not None:
                return part.seq
            await asyncio.sleep(PAUSE_S)

    async def run(self, handed_over: Callable[[], None], figures: WebhookFigures) -> None:
        """Hand events over for ever. handed_over: called each time that there are new deliveries."""
        self._wake.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while await self._hand_over(handed_over, figures):
                pass

    async def _hand_over(self, handed_over: Callable[[], None], figures: WebhookFigures) -> bool:
        """Read one part for the destinations that are furthest behind. Returns whether there may be more."""
        records = await self._records_with_room()
        for record in records:
            figures.lags(record.destination, max(0, self._newest - record.handed_over))
        if any(record.handed_over > self._newest for record in records):
            return await self._look_for_replaced_journal(records)
        behind = [record for record in records if record.handed_over < self._newest]
        if not behind:
            return False
        after = min(record.handed_over for record in behind)
        part = await self._part(after, EVENTS_A_PART)
        if part is None:
            await asyncio.sleep(PAUSE_S)
            return True
        missed_after = max(after, self._missed_up_to)
        if part.kept_after > missed_after:
            self._missed_up_to = part.kept_after
            figures.missed(part.kept_after - missed_after)
            log.error(
                "action=webhooks.facts_missed after=%d up_to=%d reason='the journal may have deleted them already'",
                missed_after,
                part.kept_after,
            )
        here = [record for record in behind if record.handed_over < part.up_to]
        now_s = time.time()
        new = await self._deliveries(part.events, here)
        times = Times(now_s, now_s + self._keep_trying_s)
        await self._store.call(Store.hand_over, [record.destination for record in here], new, part.up_to, times)
        self._waiting.update(each.destination for each in new)
        if new:
            handed_over()
        return part.up_to > after

    async def _records_with_room(self) -> list[Record]:
        wanted = set(self._receivers.names) - self._full()
        return [record for record in await self._store.call(Store.records) if record.destination in wanted]

    def _full(self) -> set[str]:
        return {name for name, waiting in self._waiting.items() if waiting >= MOST_WAITING}

    async def _deliveries(self, events: Sequence[Event], records: Sequence[Record]) -> list[NewDelivery]:
        """The new deliveries for these events. A destination that is further than the others gets no event twice."""
        known = {record.destination: record.handed_over for record in records}
        new: list[NewDelivery] = []
        for event in events:
            url = await self._urls.of(event.task_id) if self._receivers.of_tasks else ""
            told = self._receivers.told(event, url)
            new += [each for each in told if event.id > known.get(each.destination, event.id)]
        return new

    async def _look_for_replaced_journal(self, records: Sequence[Record]) -> bool:
        """Begin anew if the journal has fewer facts than were handed over: it was replaced by a backup or an empty one.

        Usually it has not, and only the last publication is older than the last answer. Returns whether to go on.
        """
        part = await self._part(self._newest, 1)
        if part is None:
            await asyncio.sleep(PAUSE_S)
            return True
        self._newest = part.seq
        ahead = [record.destination for record in records if record.handed_over > part.seq]
        if ahead:
            log.warning(
                "action=webhooks.journal_replaced newest=%d reason='webhooks go on with what happens from now on'",
                part.seq,
            )
            now_s = time.time()
            await self._store.call(Store.hand_over, ahead, (), part.seq, Times(now_s, now_s))
        return True

    async def _part(self, after: int, most: int) -> EventsPart | None:
        try:
            answer = await self._requests.request(lambda request_id: EventsWanted(request_id, after, most=most))
        except BrokerAwayError:
            return None
        return answer if isinstance(answer, EventsPart) else None


class TaskUrls:
    """The URLs to which tasks send their webhooks. Events do not carry them, because events are shown to others."""

    def __init__(self, requests: BrokerRequests, cache: TaskCache) -> None:
        self._requests = requests
        self._cache = cache
        self._known: OrderedDict[str, str] = OrderedDict()

    async def of(self, task_id: str) -> str:
        """The URL of the task's webhook; "" if it has none or is no longer known. Waits until the broker answers."""
        if task_id not in self._known:
            self._known[task_id] = await self._find(task_id)
            if len(self._known) > REMEMBERED_URLS:
                self._known.popitem(last=False)
        return self._known[task_id]

    async def _find(self, task_id: str) -> str:
        entry = self._cache.get(task_id)
        if entry is not None:
            return entry.task.spec.webhook
        while True:
            try:
                answer = await self._requests.request(lambda request_id: m.Lookup(request_id, task_id))
            except BrokerAwayError:
                await asyncio.sleep(PAUSE_S)
                continue
            return answer.task.spec.webhook if isinstance(answer, m.TaskReply) else ""
