"""The front-end's log of events: never one twice, never out of order, never a hole."""

from __future__ import annotations

from protocol.task import Task, TaskState
from tests.sample_tasks import hex_id, make_event, make_spec
from web.live import event_log
from web.live.encoded_event import EncodedEvent, encoded
from web.live.event_log import BEGIN_BACK, EventLog


def event(seq: int, task_id: str = "") -> EncodedEvent:
    return encoded(make_event(seq, Task(make_spec(task_id or hex_id()), TaskState.PROCESSING)))


def log_at(seq: int) -> EventLog:
    """A log that is complete up to this number, and has nothing before it."""
    log = EventLog()
    log.notice(seq)
    log.fill([], seq, kept_after=0)
    log.kept_after = seq
    return log


def ids(log: EventLog, after: int = 0) -> list[int]:
    return [event.id for event in log.after(after)]


def new_ids(new: list[EncodedEvent]) -> list[int]:
    return [event.id for event in new]


def test_events_in_order_can_be_read_at_once() -> None:
    log = log_at(10)
    assert new_ids(log.add(event(11))) == [11]
    assert new_ids(log.add(event(12))) == [12]
    assert (log.up_to, log.behind) == (12, False)
    assert ids(log) == [11, 12]
    assert ids(log, after=11) == [12]


def test_events_after_a_gap_wait_until_it_is_filled() -> None:
    log = log_at(10)
    log.add(event(11))
    assert log.add(event(14)) == []
    assert (log.up_to, log.behind) == (11, True)
    assert new_ids(log.fill([event(12), event(13)], 13, kept_after=0)) == [12, 13, 14]
    assert (log.up_to, log.behind) == (14, False)


def test_numbers_without_events_are_passed_when_the_broker_says_so() -> None:
    log = log_at(10)
    log.notice(15)
    assert log.behind
    assert new_ids(log.fill([event(12)], 15, kept_after=0)) == [12]
    assert (log.up_to, ids(log), log.behind) == (15, [12], False)


def test_what_was_published_and_filled_is_there_once() -> None:
    log = log_at(10)
    log.add(event(13))
    log.add(event(13))
    log.fill([event(11), event(12), event(13), event(14)], 14, kept_after=0)
    for seq in (11, 13, 14):
        assert log.add(event(seq)) == []
    assert ids(log) == [11, 12, 13, 14]


def test_an_answer_that_comes_late_adds_only_what_is_new() -> None:
    log = log_at(10)
    log.add(event(12))
    log.fill([event(11)], 11, kept_after=0)
    assert log.fill([event(11), event(12)], 12, kept_after=0) == []
    assert ids(log) == [11, 12]


def test_an_answer_that_ends_early_leaves_the_rest_open() -> None:
    log = log_at(10)
    log.notice(14)
    log.fill([event(11), event(12)], 12, kept_after=0)
    assert log.behind
    assert log.up_to == 12


def test_a_new_log_asks_for_what_readers_of_an_earlier_run_may_have_missed() -> None:
    log = EventLog()
    log.notice(BEGIN_BACK + 500)
    assert (log.up_to, log.behind) == (500, True)


def test_the_log_is_bounded_and_says_what_it_has_left_out() -> None:
    size = len(event(11).sse)
    log = EventLog(most_bytes=20 * size)
    log.notice(0)
    for seq in range(1, 101):
        log.add(event(seq))
    kept = ids(log)
    assert kept == list(range(kept[0], 101))
    assert 10 <= len(kept) <= 20
    assert [event.id for event in log.after(90, f"task {hex_id()}")] == list(range(91, 101))
    assert len(list(log.after(0, "user anna"))) == len(kept)
    assert list(log.after(0, "user berta")) == []
    assert log.kept_after == kept[0] - 1


def test_a_front_end_that_missed_very_much_begins_near_the_end() -> None:
    log = log_at(10)
    log.notice(10 + event_log.MOST_MISSING + 1)
    assert log.up_to == 11 + event_log.MOST_MISSING - BEGIN_BACK
    assert log.kept_after == log.up_to
    assert log.behind


def test_events_that_wait_are_bounded_and_asked_for_again() -> None:
    log = log_at(10)
    last = 11 + event_log.MOST_AHEAD + 5
    for seq in range(12, last + 1):
        log.add(event(seq))
    log.fill([event(11)], 11, kept_after=0)
    assert log.behind
    assert ids(log) == list(range(11, 12 + event_log.MOST_AHEAD))


def test_facts_that_may_have_been_deleted_are_said_to_be_missing() -> None:
    log = log_at(10)
    log.notice(20)
    log.fill([event(19)], 20, kept_after=18)
    assert log.kept_after == 18


def test_another_journal_starts_everything_anew() -> None:
    log = log_at(10)
    log.add(event(11))
    log.start_anew()
    assert not log.begun
    assert ids(log) == []
    assert log.generation == 1
    log.notice(5)
    assert (log.up_to, log.behind) == (0, True)
