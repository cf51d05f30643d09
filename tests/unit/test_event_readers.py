"""Whatever gets lost, doubled or late: each reader gets the journal's events from its start on, each once, in order."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from protocol.task import Task, TaskState
from tests.sample_tasks import hex_id, make_event, make_spec
from web.live.encoded_event import EncodedEvent, encoded
from web.live.event_log import EventLog
from web.live.interest import Interest
from web.live.progress_board import ProgressBoard
from web.live.reader import Reader

TASKS = [hex_id(number) for number in range(3)]
INTERESTS = [
    Interest(),
    Interest(user_id="user 1"),
    Interest(task_id=TASKS[2]),
    Interest(types=frozenset({"task.done"})),
]
PAGE_EVENTS = 3


def event_of(seq: int, task: int) -> EncodedEvent:
    spec = make_spec(TASKS[task], f"user {task}")
    return encoded(make_event(seq, Task(spec, TaskState.PROCESSING)))


class Broker:
    """A journal. Some of its facts have no event, because their task has been deleted."""

    def __init__(self) -> None:
        self.seq = 0
        self.events: dict[int, EncodedEvent] = {}

    def record(self, task: int, has_event: bool) -> EncodedEvent | None:
        self.seq += 1
        if not has_event:
            return None
        self.events[self.seq] = event_of(self.seq, task)
        return self.events[self.seq]

    def after(self, position: int, most: int, task_id: str = "") -> tuple[list[EncodedEvent], int]:
        """Events and `up_to`, as in EventsPart."""
        later = [self.events[seq] for seq in sorted(self.events) if seq > position]
        found = [event for event in later if task_id in ("", event.task_id)]
        if len(found) > most:
            return found[:most], found[most - 1].id
        return found, max(self.seq, position)


class Caller:
    """A reader, and what it has got. start: the position at which it began."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.start = reader.position
        self.got: list[int] = []


class FrontEnd(RuleBasedStateMachine):
    @initialize(facts=st.integers(0, 5))
    def begin(self, facts: int) -> None:
        self.broker, self.log, self.board = Broker(), EventLog(most_bytes=3000), ProgressBoard()
        self.callers: list[Caller] = []
        self.answers: list[tuple[int, list[EncodedEvent], int]] = []
        for _ in range(facts):
            self.broker.record(0, has_event=True)
        self.log.notice(self.broker.seq)

    @rule(
        tasks=st.lists(st.integers(0, 2), min_size=1, max_size=8),
        arrive=st.lists(st.sampled_from([0, 1, 1, 1, 2]), min_size=8, max_size=8),
        have_events=st.lists(st.sampled_from([True, True, True, False]), min_size=8, max_size=8),
    )
    def publish(self, tasks: list[int], arrive: list[int], have_events: list[bool]) -> None:
        """Record facts. Their publications arrive once, or twice, or never."""
        for task, times, has_event in zip(tasks, arrive, have_events, strict=False):
            event = self.broker.record(task, has_event)
            for _ in range(times if event is not None else 0):
                assert event is not None
                self.log.add(event)

    @rule()
    def tick(self) -> None:
        self.log.notice(self.broker.seq)

    @rule(most=st.integers(1, 10))
    def ask(self, most: int) -> None:
        """The broker answers. The answer arrives later, perhaps after newer ones."""
        if self.log.behind:
            self.answers.append((self.log.up_to, *self.broker.after(self.log.up_to, most)))

    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        if self.answers:
            index = data.draw(st.integers(0, len(self.answers) - 1))
            _, events, up_to = self.answers.pop(index)
            self.log.fill(events, up_to, kept_after=0)

    @rule(interest=st.sampled_from(INTERESTS), back=st.integers(0, 30))
    def come(self, interest: Interest, back: int) -> None:
        self.callers.append(Caller(Reader(interest, max(0, self.broker.seq - back), self.log)))

    @rule(data=st.data(), times=st.integers(1, 4))
    def read(self, data: st.DataObject, times: int) -> None:
        if self.callers:
            caller = data.draw(st.sampled_from(self.callers))
            for _ in range(times):
                self.read_once(caller)

    def read_once(self, caller: Caller) -> bool:
        """Whether there may be more to read."""
        reader, before = caller.reader, caller.reader.position
        if reader.is_in(self.log):
            found = reader.read(self.log, self.board)
            caller.got += [event.id for event in found]
            return bool(found)
        events, up_to = self.broker.after(reader.position, PAGE_EVENTS, reader.interest.task_id)
        found, is_more = reader.take(events)
        if not is_more:
            reader.verify(up_to)
        caller.got += [event.id for event in found]
        return reader.position > before or reader.is_in(self.log)

    @invariant()
    def each_reader_has_a_beginning_of_what_it_wants(self) -> None:
        for caller in getattr(self, "callers", []):
            wanted = self.wanted_by(caller)
            assert caller.got == wanted[: len(caller.got)]
            left = wanted[len(caller.got) :]
            assert not left or left[0] > caller.reader.position, "an event was skipped"

    def wanted_by(self, caller: Caller) -> list[int]:
        events = self.broker.events
        return [seq for seq in sorted(events) if seq > caller.start and caller.reader.interest.wants(events[seq])]

    def teardown(self) -> None:
        """When the broker has told everything, every reader reads to the end."""
        if not hasattr(self, "broker"):
            return
        self.log.notice(self.broker.seq)
        while self.log.behind:
            self.log.fill(*self.broker.after(self.log.up_to, 4), kept_after=0)
        for caller in self.callers:
            while self.read_once(caller):
                pass
            assert caller.got == self.wanted_by(caller)


TestFrontEnd = FrontEnd.TestCase
TestFrontEnd.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_a_reader_of_another_journal_is_told() -> None:
    log = EventLog()
    log.notice(10)
    reader = Reader(Interest(), 10, log)
    log.start_anew()
    log.notice(3)
    assert reader.is_outdated(log)
    assert not reader.is_in(log)
    reader.reset(log)
    assert reader.is_in(log)


def test_a_position_beyond_the_log_must_be_checked_with_the_broker() -> None:
    log = EventLog()
    log.notice(10)
    reader = Reader(Interest(), 12, log)
    assert not reader.is_in(log)
    reader.verify(12)
    log.notice(12)
    log.fill([event_of(11, 0), event_of(12, 0)], 12, kept_after=0)
    assert reader.is_in(log)
    assert reader.read(log, ProgressBoard()) == []


def test_a_reader_of_one_task_ends_with_its_last_event() -> None:
    log, task = EventLog(), Task(make_spec(TASKS[0]), TaskState.DONE)
    log.notice(0)
    log.add(encoded(make_event(1, task)))
    log.add(event_of(2, 0))
    reader = Reader(Interest(task_id=TASKS[0], types=frozenset({"task.started"})), 0, log)
    assert reader.read(log, ProgressBoard()) == []
    assert reader.ended
