"""What the front-end makes of the broker's publications when some are lost, and of its answers when it is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import cast

import pytest

from protocol import messages as m
from protocol.events import Event
from protocol.queries import EventsPart, EventsWanted
from protocol.task import Task, TaskState
from tests.sample_tasks import changed, hex_id, make_event, make_spec
from tests.waiting import TIMEOUT_S
from web.broker_link.broker_requests import BrokerAwayError, BrokerRequests
from web.broker_link.task_cache import TaskCache
from web.live.catching_up import CatchingUp
from web.live.interest import Interest
from web.live.live_feed import LiveFeed
from web.live.long_polls import LongPolls
from web.live.past_events import PastEvents
from web.live.reader import Reader

ONE = hex_id("one")


class Broker:
    """Answers questions for events from a list of all events."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.kept_after = 0
        self.is_away = self.hangs = False
        self.asked: list[EventsWanted] = []

    @property
    def seq(self) -> int:
        return self.events[-1].id if self.events else 0

    def record(self, state: TaskState = TaskState.PROCESSING, task_id: str = ONE, attempt: int = 1) -> m.TasksChanged:
        task = Task(make_spec(task_id), state, attempt=attempt)
        self.events.append(make_event(self.seq + 1, task))
        return m.TasksChanged((changed(self.seq, task),))

    async def request(self, make: Callable[[int], m.WebToBroker]) -> m.BrokerToWeb:
        wanted = make(1)
        assert isinstance(wanted, EventsWanted)
        self.asked.append(wanted)
        await asyncio.sleep(0)
        if self.hangs:
            await asyncio.Event().wait()
        if self.is_away:
            raise BrokerAwayError
        found = [event for event in self.events if event.id > wanted.after and wanted.task_id in ("", event.task_id)]
        part = tuple(found[: wanted.most])
        up_to = part[-1].id if len(found) > wanted.most else max(self.seq, wanted.after)
        return EventsPart(1, self.seq, part, up_to, self.kept_after)


class FrontEnd:
    """Cache and live feed as a front-end has them, filled by hand."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.cache = TaskCache(100)
        self.feed = LiveFeed(self.cache, PastEvents(cast(BrokerRequests, broker)))
        self.catching_up = CatchingUp(self.feed)
        self.long_polls = LongPolls(self.feed, self.catching_up, asking_s=0.05)

    def take(self, message: m.Published) -> None:
        match message:
            case m.TasksChanged():
                for change in message.changes:
                    self.cache.apply_change(change)
            case m.Progress():
                self.cache.apply_progress(message)
            case m.Tick():
                self.cache.apply_tick(message)
        self.feed.take(message)

    def tick(self) -> None:
        self.take(m.Tick(self.broker.seq, 0, 0, 0, 0))

    def snapshot(self, *tasks: Task) -> None:
        self.cache.apply_snapshot(m.SnapshotPart(1, self.broker.seq, tasks, (), first=True, last=True))

    def reader(self, since: int, task_id: str = "") -> Reader:
        return Reader(Interest(task_id), since, self.feed.log)

    async def next_ids(self, reader: Reader, wait_s: float = TIMEOUT_S) -> list[int]:
        return [event.id for event in (await self.long_polls.events(reader, wait_s)).events]


def run(test: Callable[[FrontEnd], Coroutine[None, None, None]]) -> None:
    async def with_front_end() -> None:
        front_end = FrontEnd(Broker())
        front_end.snapshot()
        front_end.tick()
        try:
            await test(front_end)
        finally:
            front_end.feed.close()

    asyncio.run(asyncio.wait_for(with_front_end(), TIMEOUT_S))


def test_lost_publications_are_fetched_and_given_in_order() -> None:
    async def test(front_end: FrontEnd) -> None:
        reader, broker = front_end.reader(0), front_end.broker
        front_end.take(broker.record())
        broker.record()  # It gets lost, as does the next one.
        broker.record()
        front_end.take(broker.record())
        got: list[int] = []
        while len(got) < 4:
            got += await front_end.next_ids(reader)
        assert got == [1, 2, 3, 4]
        assert [(wanted.after, wanted.task_id) for wanted in broker.asked] == [(1, "")]

    run(test)


def test_a_lost_last_publication_is_noticed_by_the_tick() -> None:
    async def test(front_end: FrontEnd) -> None:
        front_end.broker.record()
        front_end.tick()
        assert await front_end.next_ids(front_end.reader(0)) == [1]

    run(test)


def test_while_the_broker_is_away_nothing_is_given_out_of_order_and_its_next_tick_asks_again() -> None:
    async def test(front_end: FrontEnd) -> None:
        reader, broker = front_end.reader(0), front_end.broker
        broker.is_away = True
        broker.record()
        front_end.take(broker.record())
        assert await front_end.next_ids(reader, 0.05) == []
        broker.is_away = False
        front_end.tick()
        assert await front_end.next_ids(reader) == [1, 2]

    run(test)


def test_many_readers_who_ask_the_same_share_one_answer() -> None:
    async def test(front_end: FrontEnd) -> None:
        broker = front_end.broker
        broker.record()
        past = PastEvents(cast(BrokerRequests, broker))
        pages = await asyncio.gather(*(past.after(0, ONE) for _ in range(100)))
        assert len({id(page) for page in pages}) == 1
        assert len(broker.asked) == 1

    run(test)


def test_a_reader_who_missed_deleted_events_gets_the_state_and_one_of_a_known_task_does_not() -> None:
    async def test(front_end: FrontEnd) -> None:
        broker, catching_up = front_end.broker, front_end.catching_up
        for _ in range(3):
            broker.record()
        broker.kept_after = 2
        front_end.feed.log.start_anew()
        front_end.feed.log.notice(5000)
        front_end.feed.log.fill([], 5000, kept_after=0)
        front_end.cache.seq = 5000
        assert await catching_up.read_past(front_end.reader(1)) is None
        found = await catching_up.read_past(front_end.reader(1, ONE))
        assert [event.id for event in found or []] == [2, 3]
        reader = front_end.reader(1)
        assert b'"type":"reset","id":5000,"tasks":[' in await catching_up.reset(reader)
        assert reader.position == 5000
        assert catching_up.resets == 1

    run(test)


def test_the_progress_of_a_new_attempt_is_shown_after_the_events_between() -> None:
    async def test(front_end: FrontEnd) -> None:
        broker = front_end.broker
        front_end.take(broker.record())
        front_end.take(m.Progress(ONE, 1, 50.0))
        reader = front_end.reader(1)
        assert await front_end.next_ids(reader) == [1]
        broker.is_away = True
        broker.record(TaskState.PENDING, attempt=2)  # It gets lost.
        front_end.take(broker.record(attempt=2))
        front_end.take(m.Progress(ONE, 2, 1.0))
        assert await front_end.next_ids(reader, 0.05) == []
        broker.is_away = False
        front_end.tick()
        found = (await front_end.long_polls.events(reader, TIMEOUT_S)).events
        assert [(event.type, event.id, event.attempt) for event in found][:2] == [
            *(("task.submitted", 2, 2), ("task.started", 3, 2)),
        ]
        if len(found) == 2:
            found = (await front_end.long_polls.events(reader, TIMEOUT_S)).events
        assert (found[-1].type, found[-1].id, found[-1].attempt) == ("task.progress", 3, 2)

    run(test)


def test_a_change_of_a_task_ends_a_wait_and_a_change_of_another_one_does_not() -> None:
    async def test(front_end: FrontEnd) -> None:
        front_end.take(front_end.broker.record())
        waiting = asyncio.create_task(front_end.long_polls.changed(ONE, 1, TIMEOUT_S))
        await asyncio.sleep(0)
        front_end.take(front_end.broker.record(task_id=hex_id("two")))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        front_end.take(front_end.broker.record(TaskState.DONE))
        await waiting
        await front_end.long_polls.changed(ONE, 1, TIMEOUT_S)  # It has changed already.

    run(test)


@pytest.mark.parametrize("since", ["not published yet", "no longer in memory"])
def test_a_wait_for_a_change_lasts_whatever_the_log_has(since: str) -> None:
    """Otherwise a caller that waits again and again would keep the front-end busy."""

    async def test(front_end: FrontEnd) -> None:
        broker = front_end.broker
        published = broker.record()
        if since == "no longer in memory":
            front_end.take(published)
            front_end.take(broker.record(task_id=hex_id("two")))
            front_end.feed.log.kept_after = 2
        waiting = asyncio.create_task(front_end.long_polls.changed(ONE, 1, TIMEOUT_S))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        front_end.take(published)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        front_end.take(broker.record(TaskState.DONE))
        await waiting

    run(test)


def test_a_wait_for_a_change_ends_in_time_although_the_broker_hangs() -> None:
    async def test(front_end: FrontEnd) -> None:
        front_end.take(front_end.broker.record())
        front_end.take(front_end.broker.record(task_id=hex_id("two")))
        front_end.feed.log.kept_after, front_end.broker.hangs = 2, True
        await front_end.long_polls.changed(ONE, 1, 0.05)
        assert len(front_end.broker.asked) == 1
        assert len(front_end.long_polls) == 0

    run(test)


@pytest.mark.parametrize("wait_s", [0.0, 0.1])
def test_a_wait_for_events_ends_in_time_although_the_broker_hangs(wait_s: float) -> None:
    async def test(front_end: FrontEnd) -> None:
        front_end.take(front_end.broker.record())
        front_end.feed.log.kept_after, front_end.broker.hangs = 1, True
        loop, reader = asyncio.get_running_loop(), front_end.reader(0)
        began_s = loop.time()
        with pytest.raises(BrokerAwayError):
            await front_end.long_polls.events(reader, wait_s)
        assert loop.time() - began_s >= max(wait_s, 0.05), "a call that does not wait may ask the broker, too"
        assert (reader.position, len(front_end.long_polls)) == (0, 0)
        front_end.broker.hangs = False
        with pytest.raises(BrokerAwayError):  # It began long ago.
            await front_end.long_polls.events(front_end.reader(0, ONE), wait_s, began_s=began_s - 1)

    run(test)


@pytest.mark.parametrize("asking_s", [0.01, TIMEOUT_S])
def test_a_wait_that_found_nothing_says_so_although_the_broker_is_away_at_its_end(asking_s: float) -> None:
    async def test(front_end: FrontEnd) -> None:
        broker, feed = front_end.broker, front_end.feed
        front_end.take(broker.record())
        reader, long_polls = front_end.reader(1, ONE), LongPolls(feed, front_end.catching_up, asking_s)
        waiting = asyncio.create_task(long_polls.events(reader, 0.05))
        await asyncio.sleep(0)
        front_end.take(broker.record(task_id=hex_id("two")))
        feed.log.kept_after, broker.hangs = 2, True
        assert (await waiting).events == []
        assert reader.position == 1
        with pytest.raises(BrokerAwayError):  # A new call knows nothing of what came before.
            await front_end.long_polls.events(front_end.reader(1, ONE), 0.05)

    run(test)


def test_a_wait_during_which_the_journal_has_changed_does_not_say_that_nothing_came() -> None:
    async def test(front_end: FrontEnd) -> None:
        front_end.take(front_end.broker.record())
        waiting = asyncio.create_task(front_end.long_polls.events(front_end.reader(1, ONE), 0.1))
        await asyncio.sleep(0)
        front_end.feed.log.start_anew()
        front_end.broker.hangs = True
        with pytest.raises(BrokerAwayError):
            await waiting

    run(test)


def test_a_wait_keeps_its_position_in_the_log_although_nothing_concerns_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.live.long_polls.LOOK_INTERVAL_S", 0.01)

    async def test(front_end: FrontEnd) -> None:
        front_end.take(front_end.broker.record())
        reader = front_end.reader(1, ONE)
        waiting = asyncio.create_task(front_end.long_polls.events(reader, TIMEOUT_S))
        await asyncio.sleep(0)
        front_end.take(front_end.broker.record(task_id=hex_id("two")))
        while reader.position < 2:
            assert not waiting.done()
            await asyncio.sleep(0)
        front_end.take(front_end.broker.record(TaskState.DONE))
        assert [event.id for event in (await waiting).events] == [3]

    run(test)


def test_a_wait_that_began_earlier_ends_earlier() -> None:
    async def test(front_end: FrontEnd) -> None:
        earlier_s = asyncio.get_running_loop().time() - TIMEOUT_S
        assert (await front_end.long_polls.events(front_end.reader(0), TIMEOUT_S, earlier_s)).events == []

    run(test)
