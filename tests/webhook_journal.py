"""A broker in the test's own process, as far as webhooks ask it: events of the past, and tasks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

from prometheus_client import CollectorRegistry

from conf.settings import load
from conf.webhook_secrets import create_secret
from protocol import messages as m
from protocol.events import Event, EventType, iso
from protocol.queries import EventsPart, EventsWanted
from protocol.task import Task, TaskSpec
from tests.waiting import TIMEOUT_S
from tests.webhook_receiver import Receiver
from web.broker_link.broker_requests import BrokerAwayError, BrokerRequests
from web.broker_link.task_cache import TaskCache
from web.webhooks.figures import WebhookFigures
from web.webhooks.service import Webhooks

LIFE: tuple[EventType, ...] = ("task.submitted", "task.started", "model.usable", "artifact.ready", "task.done")
#: Small enough that a test needs no patience, and large enough that nothing fails by itself on a busy machine.
QUICK = {"TIMEOUT_S": 5.0, "FIRST_RETRY_S": 0.02, "LONGEST_RETRY_S": 0.1, "KEEP_TRYING_S": 3600.0}


def task_id(number: int) -> str:
    return f"{number:032x}"


class Journal:
    """Stands in for BrokerRequests. away: it does not answer."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.urls: dict[str, str] = {}
        self.away = False
        self.seq = 0
        self.kept_after = 0
        self.asked = 0

    def add(self, number: int, *types: EventType, user: str = "anna") -> None:
        """Events of task `number`."""
        for each in types:
            self.seq += 1
            event = Event(
                id=self.seq,
                type=each,
                at=iso(time.time()),
                task_id=task_id(number),
                user_id=user,
                project_id="flowers",
                train_type="classification",
                state="processing",
                progress=0.0,
                attempt=1,
            )
            self.events.append(event)

    async def request(self, make: Callable[[int], m.WebToBroker]) -> m.BrokerToWeb:
        await asyncio.sleep(0)
        self.asked += 1
        if self.away:
            raise BrokerAwayError
        message = make(1)
        if isinstance(message, m.Lookup):
            url = self.urls.get(message.task_id)
            if url is None:
                return m.Refused(1, "unknown_task", "There is no such task.")
            spec = TaskSpec(message.task_id, "anna", "flowers", "d", "/d", "classification", webhook=url)
            return m.TaskReply(1, self.seq, Task(spec))
        assert isinstance(message, EventsWanted)
        kept = [event for event in self.events if event.id > max(message.after, self.kept_after)]
        events = tuple(kept[: message.most])
        up_to = events[-1].id if len(events) == message.most else max(self.seq, message.after)
        return EventsPart(1, self.seq, events, up_to, self.kept_after)

    def tick(self) -> m.Tick:
        return m.Tick(self.seq, 0, 0, 0, 0)


class Bench:
    """Webhooks over a journal in this process."""

    def __init__(self, webhooks: Webhooks, journal: Journal, registry: CollectorRegistry) -> None:
        self.webhooks = webhooks
        self.journal = journal
        self.registry = registry

    def add(self, number: int, *types: EventType, user: str = "anna") -> None:
        """Record events of a task and publish them, as the broker does."""
        self.journal.add(number, *types, user=user)
        self.webhooks.take(self.journal.tick())

    async def until(self, look: Callable[[], Any], what: str) -> None:
        give_up_at_s = time.monotonic() + TIMEOUT_S
        while not look():
            assert time.monotonic() < give_up_at_s, f"waited {TIMEOUT_S:.0f} s for {what}"
            self.webhooks.take(self.journal.tick())
            await asyncio.sleep(0.01)

    async def until_quiet(self, destinations: int = 1) -> None:
        """Until everything has been handed over, and is delivered or dead."""
        give_up_at_s = time.monotonic() + TIMEOUT_S
        while True:
            overview = await self.webhooks.overview(0, 10)
            told = [record for record in overview.records if record.handed_over >= self.journal.seq]
            if len(told) >= destinations and not any(count.waiting for count in overview.counts.values()):
                return
            assert time.monotonic() < give_up_at_s, f"waited {TIMEOUT_S:.0f} s; at the end: {overview}"
            self.webhooks.take(self.journal.tick())
            await asyncio.sleep(0.01)

    def figure(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


def destinations_of(receivers: dict[str, Receiver], **more: object) -> str:
    return json.dumps([{"name": name, "url": receiver.url, **more} for name, receiver in receivers.items()])


@contextlib.asynccontextmanager
async def bench(folder: Path, journal: Journal, **settings: object) -> AsyncIterator[Bench]:
    """Webhooks that deliver, until the block ends. settings: of [webhooks], as WEBHOOKS_<NAME>."""
    values = {"ALLOWED_PRIVATE": "127.0.0.1", **QUICK, **settings}
    environ = {f"TFMODEL_WEBHOOKS_{name}": str(value) for name, value in values.items()}
    loaded = load({"TFMODEL_HOME": str(folder), **environ})
    if not loaded.webhook_secret_file.exists():
        create_secret(loaded.webhook_secret_file)
    registry = CollectorRegistry()
    webhooks = Webhooks(loaded, cast(BrokerRequests, journal), TaskCache(10), WebhookFigures(registry))
    webhooks.start()
    try:
        yield Bench(webhooks, journal, registry)
    finally:
        await webhooks.close()
