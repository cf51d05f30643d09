"""Delivers what the store says is due: many at the same time, but the events of one task one after the other."""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
import time
from collections import Counter

from conf.webhook_settings import WebhookSettings
from web.own_thread import OwnThread
from web.webhooks.delivery import Delivery
from web.webhooks.figures import WebhookFigures
from web.webhooks.receivers import Receivers
from web.webhooks.retries import Outcome, next_try_s, spread_s
from web.webhooks.sender import Sender
from web.webhooks.store import Store

log = logging.getLogger("web")

#: The most attempts under way in one lane, in a lane whose last attempt failed, and in all lanes together. There are at
#: most 48 lanes, so receivers that hang leave at least 16 attempts to the others.
MOST_OF_A_LANE, MOST_IN_TROUBLE, MOST_AT_ONCE = 8, 1, 64
#: The longest pause between two looks into the store. Another front-end may have sent a dead letter again.
LOOK_INTERVAL_S = 2.0
#: How long to wait after an error of the store.
PAUSE_S = 5.0


class Deliveries:
    """Create it inside a running event loop."""

    def __init__(
        self,
        store: OwnThread[Store],
        sender: Sender,
        receivers: Receivers,
        settings: WebhookSettings,
        figures: WebhookFigures,
    ) -> None:
        self._store = store
        self._sender = sender
        self._receivers = receivers
        self._settings = settings
        self._figures = figures
        self._lanes = list(receivers.lanes)
        self._in_trouble: set[str] = set()
        #: By number, the deliveries under way.
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._in_lane: Counter[str] = Counter()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look into the store now."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver for ever. At its end, the attempts under way are cut; they are repeated after the next start."""
        try:
            while True:
                self._wake.clear()
                pause_s = await self._start_due()
                try:
                    async with asyncio.timeout(pause_s):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        finally:
            for attempt in self._under_way.values():
                attempt.cancel()

    async def _start_due(self) -> float:
        """Start the attempts whose time has come. Returns after how many seconds to look again."""
        now_s = time.time()
        # The lanes take turns at being the first to get a place.
        self._lanes = [*self._lanes[1:], *self._lanes[:1]]
        room = {lane: self._limit(lane) - self._in_lane[lane] for lane in self._lanes}
        # Those under way are still due in the store, so as many more are asked for.
        wanted = {lane: places + self._in_lane[lane] for lane, places in room.items() if places > 0}
        look = await self._store.call(Store.look, wanted, now_s)
        for delivery in look.due:
            free = room[delivery.lane] > 0 and len(self._under_way) < MOST_AT_ONCE
            if free and delivery.number not in self._under_way:
                room[delivery.lane] -= 1
                self._in_lane[delivery.lane] += 1
                self._under_way[delivery.number] = asyncio.create_task(self._attempt(delivery))
        return max(0.0, min(LOOK_INTERVAL_S, look.next_due_at_s - now_s))

    def _limit(self, lane: str) -> int:
        return MOST_IN_TROUBLE if lane in self._in_trouble else MOST_OF_A_LANE

    async def _attempt(self, delivery: Delivery) -> None:
        try:
            outcome = await self._outcome(delivery)
            self._figures.attempted(delivery.destination, outcome.delivered)
            (self._in_trouble.discard if outcome.delivered else self._in_trouble.add)(delivery.lane)
            await self._note(delivery, outcome)
        finally:
            self._in_lane[delivery.lane] -= 1
            del self._under_way[delivery.number]
            self._wake.set()

    async def _outcome(self, delivery: Delivery) -> Outcome:
        try:
            return await self._sender.send(self._receivers.message_of(delivery))
        except Exception as error:
            # Whatever it is, it must cost no more than this delivery, which is tried again later.
            log.exception("action=webhook.error webhook=%s destination=%s", delivery.webhook_id, delivery.destination)
            return Outcome(0, f"TFModel could not send it ({type(error).__name__}: {str(error)[:200]}).")

    async def _note(self, delivery: Delivery, outcome: Outcome) -> None:
        """Record the attempt. While the store cannot be written, the delivery keeps its place and is not repeated."""
        now_s = time.time()
        again_at_s = None
        if not outcome.delivered:
            pause_s = next_try_s(outcome, delivery.attempts + 1, now_s, delivery.give_up_at_s, self._settings)
            again_at_s = None if pause_s is None else now_s + spread_s(pause_s, random.random())
            self._log_failure(delivery, outcome, again_at_s is None)
        while True:
            try:
                await self._store.call(Store.note, delivery, outcome, now_s, again_at_s)
                return
            except (sqlite3.Error, OSError) as error:
                log.error("action=webhook.not_noted webhook=%s reason=%r", delivery.webhook_id, str(error))
                await asyncio.sleep(PAUSE_S)

    def _log_failure(self, delivery: Delivery, outcome: Outcome, given_up: bool) -> None:
        words = (delivery.webhook_id, delivery.destination, delivery.task_id, delivery.attempts + 1, outcome.status)
        if given_up:
            log.error("action=webhook.dead webhook=%s destination=%s task=%s attempts=%d status=%d", *words)
        else:
            log.warning("action=webhook.failed webhook=%s destination=%s task=%s attempts=%d status=%d", *words)
