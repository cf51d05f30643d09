"""The webhooks of one front-end: starts and ends the delivery, and answers the HTTP calls about webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import secrets
import sqlite3
import time
from pathlib import Path

from conf.settings import Settings
from conf.webhook_addresses import AddressRules
from conf.webhook_url import why_not_allowed
from protocol import messages as m
from protocol.events import iso
from web.broker_link.broker_requests import BrokerRequests
from web.broker_link.task_cache import TaskCache
from web.own_thread import OwnThread
from web.webhooks.deliveries import MOST_AT_ONCE, Deliveries
from web.webhooks.delivery import Count, Delivery, Overview, Times
from web.webhooks.event_feed import EventFeed
from web.webhooks.figures import WebhookFigures
from web.webhooks.guarded_network import GuardedNetwork, SystemResolver
from web.webhooks.receivers import Receivers
from web.webhooks.retries import Outcome
from web.webhooks.secret_keys import SecretKeys
from web.webhooks.sender import Sender
from web.webhooks.store import Store

log = logging.getLogger("web")

#: How often a front-end that does not deliver tries to take over.
LOCK_INTERVAL_S = 2.0
#: How long to wait before the next start after an error of the store.
PAUSE_S = 5.0
#: How often the figures are counted, and how often old dead letters are deleted.
COUNT_INTERVAL_S, CLEAN_INTERVAL_S = 2.0, 3600.0
#: Counting may take a twentieth of the thread's time, however many webhooks wait.
REST_FACTOR = 20
SHOWN_ATTEMPTS = 50


class WebhooksUnavailableError(Exception):
    """The file of the webhooks cannot be used now."""


class Webhooks:
    """Create it inside a running event loop. Of several front-ends with one state folder, one delivers."""

    def __init__(self, settings: Settings, requests: BrokerRequests, cache: TaskCache, figures: WebhookFigures) -> None:
        self._settings = settings.webhooks
        self._path = settings.webhook_file
        self._figures = figures
        self.receivers = Receivers(settings.webhooks)
        self._store = OwnThread("webhooks", lambda: Store(settings.webhook_file))
        network = GuardedNetwork(AddressRules(settings.webhooks.allowed_private), SystemResolver())
        keys = SecretKeys(settings.webhook_secret_file)
        # Tests by POST come on top of the attempts under way.
        self._sender = Sender(network, keys, settings.webhooks.timeout_s, MOST_AT_ONCE + len(self.receivers.names))
        self._feed = EventFeed(requests, cache, self._store, self.receivers, settings.webhooks)
        self._deliveries = Deliveries(self._store, self._sender, self.receivers, settings.webhooks, figures)
        self._newest = 0
        self._delivers = False
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._settings.have_receivers:
            self._sender.open()
            self._figures.expect(self.receivers.names)
            self._running = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
        await self._sender.close()
        self._store.close()

    def take(self, message: m.Published) -> None:
        """Listens to what the broker publishes."""
        if isinstance(message, m.Tick):
            self._newest = message.seq
        self._feed.take(message)

    # ---- for the HTTP calls ----

    def why_not_allowed(self, url: str) -> str:
        """Why a task may not name this URL as its webhook, as a sentence; "" if it may."""
        return why_not_allowed(url, self._settings.allowed_hosts)

    async def overview(self, before: int, most: int) -> Overview:
        """before: dead letters with a lower number than this; 0 for the newest. Raises WebhooksUnavailableError."""
        if not self._settings.have_receivers and not self._path.exists():
            return Overview(False, self._newest, [], {}, [], [])
        try:
            return Overview(
                self._delivers,
                self._newest,
                await self._store.call(Store.records),
                await self._store.call(Store.counts),
                await self._store.call(Store.attempts, SHOWN_ATTEMPTS),
                await self._store.call(Store.dead, before, most),
            )
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(error) from error

    async def test(self, name: str) -> Outcome:
        """Send a test to a destination of the settings. It is not repeated."""
        now_s = time.time()
        message = self.receivers.test_message(name, f"test_{secrets.token_hex(8)}", iso(now_s))
        return await self._sender.send(message)

    async def resend(self, number: int) -> Delivery | None:
        """Send a dead letter again. Returns it, or None if there is none. Raises WebhooksUnavailableError."""
        if not self._path.exists():
            return None
        try:
            found = await self._store.call(Store.dead_letter, number)
            if found is not None and found.lane in self.receivers.lanes:
                now_s = time.time()
                await self._store.call(Store.resend, number, Times(now_s, now_s + self._settings.keep_trying_s))
                self._deliveries.wake()
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(error) from error
        return found

    def _unavailable(self, error: Exception) -> WebhooksUnavailableError:
        log.error("action=webhooks.unusable file=%s reason=%r", self._path, str(error))
        return WebhooksUnavailableError(str(error))

    # ---- delivering ----

    async def _run(self) -> None:
        lock = await self._lock()
        self._delivers = True
        try:
            while True:
                try:
                    await self._deliver()
                except* (sqlite3.Error, OSError) as errors:
                    self._figures.stuck(True)
                    log.error(
                        "action=webhooks.unusable file=%s reason='%s; nothing is delivered until it can be used'",
                        self._path,
                        errors.exceptions[0],
                    )
                except* Exception:
                    # A bug in this program. The store is intact, so begin again from what it has.
                    log.exception("action=webhooks.error")
                await asyncio.sleep(PAUSE_S)
        finally:
            self._delivers = False
            os.close(lock)

    async def _deliver(self) -> None:
        newest = await self._feed.newest()
        receivers, now_s = self.receivers, time.time()
        gone = await self._store.call(Store.open_destinations, receivers.names, receivers.lanes, newest, now_s)
        log.info("action=webhooks.started destinations=%d dead=%d newest=%d", len(receivers.names), gone, newest)
        self._figures.stuck(False)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._feed.run(self._deliveries.wake, self._figures))
            group.create_task(self._deliveries.run())
            group.create_task(self._count())

    async def _count(self) -> None:
        clean_at_s = 0.0
        while True:
            if time.monotonic() >= clean_at_s:
                clean_at_s = time.monotonic() + CLEAN_INTERVAL_S
                dropped = await self._store.call(Store.drop_oldest_dead)
                if dropped:
                    log.error("action=webhooks.dead_dropped count=%d", dropped)
            began_s = time.monotonic()
            counts = await self._store.call(Store.counts)
            took_s = time.monotonic() - began_s
            self._feed.counted(counts)
            self._figures.counted({name: Count() for name in self.receivers.names} | counts)
            await asyncio.sleep(max(COUNT_INTERVAL_S, REST_FACTOR * took_s))

    async def _lock(self) -> int:
        """Wait until no other front-end delivers. Returns the descriptor of the lock."""
        path: Path = self._path.with_name(self._path.name + ".lock")
        waits = False
        while True:
            try:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return descriptor
                except OSError:
                    os.close(descriptor)
                if not waits:
                    log.info("action=webhooks.waiting reason='another front-end delivers'")
            except OSError as error:
                if not waits:
                    log.error("action=webhooks.waiting reason='%s cannot be used: %s'", path, error)
            waits = True
            await asyncio.sleep(LOCK_INTERVAL_S)
