"""Progress as the outside sees it: fresh in every silence, never back, never at its end too soon."""

from __future__ import annotations

import itertools

from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.pipe_messages import Report
from trainer_worker.agent.progress_clock import HIGHEST_PERCENT, ProgressClock

STEP_S = 0.25
FRESH_WITHIN_S = 2.0


def watch(clock: ProgressClock, from_s: float, seconds: float) -> list[tuple[float, float]]:
    """(time, percent) at every publication, as the agent asks."""
    times = [from_s + STEP_S * number for number in range(1, int(seconds / STEP_S) + 1)]
    return [(now_s, clock.message(now_s).progress) for now_s in times]


def longest_standstill_s(seen: list[tuple[float, float]]) -> float:
    moved_at_s, longest_s = seen[0][0], 0.0
    for (_, before), (now_s, percent) in itertools.pairwise(seen):
        if percent != before:
            moved_at_s = now_s
        longest_s = max(longest_s, now_s - moved_at_s)
    return longest_s


def check(seen: list[tuple[float, float]]) -> None:
    assert longest_standstill_s(seen) <= FRESH_WITHIN_S
    assert all(before <= after for (_, before), (_, after) in itertools.pairwise(seen)), "went back"
    assert all(0.0 <= percent <= HIGHEST_PERCENT < 100.0 for _, percent in seen)


@settings(max_examples=20)
@example(percent=99.5, ahead=0.0, expected_s=0.0)
@example(percent=30.0, ahead=0.011, expected_s=0.0)
@given(
    percent=st.floats(0.0, 99.5),
    ahead=st.floats(0.0, 60.0),
    expected_s=st.floats(0.0, 600.0),
)
def test_ten_minutes_of_silence_move_at_least_every_two_seconds(
    percent: float, ahead: float, expected_s: float
) -> None:
    clock = ProgressClock("t1", 1, 0.0)
    clock.update(Report(percent, "export", min(percent + ahead, 99.5), expected_s, expected_s), 0.0)
    check(watch(clock, 0.0, 600.0))


def test_before_the_first_report_it_moves_too() -> None:
    check(watch(ProgressClock("t1", 1, 100.0), 100.0, 600.0))


REPORTS = st.lists(
    st.tuples(st.floats(0.0, 30.0), st.floats(0.0, 99.5), st.floats(0.0, 20.0), st.floats(0.0, 60.0)), max_size=12
)


@settings(max_examples=60)
@given(reports=REPORTS)
def test_whatever_the_trainer_reports_it_never_goes_back(reports: list[tuple[float, float, float, float]]) -> None:
    clock, now_s = ProgressClock("t1", 1, 0.0), 0.0
    seen = [(0.0, clock.message(0.0).progress)]
    for silence_s, percent, ahead, expected_s in reports:
        seen += watch(clock, now_s, silence_s)
        now_s += silence_s
        clock.update(Report(percent, "training", percent + ahead, expected_s, -1.0), now_s)
    seen += watch(clock, now_s, 5.0)
    assert all(before <= after for (_, before), (_, after) in itertools.pairwise(seen))
    assert all(percent <= HIGHEST_PERCENT for _, percent in seen)


def test_real_news_is_shown_as_it_came() -> None:
    clock = ProgressClock("t1", 3, 0.0)
    clock.update(Report(42.0, "training", 80.0, 20.0, 33.0, 5, {"loss": 0.5}), 1.0)
    message = clock.message(1.0)
    assert (message.progress, message.phase, message.epoch, message.metrics) == (42.0, "training", 5, {"loss": 0.5})
    assert (message.task_id, message.attempt, message.eta_s) == ("t1", 3, 33.0)


def test_the_time_left_runs_down_while_nothing_comes() -> None:
    clock = ProgressClock("t1", 1, 0.0)
    clock.update(Report(42.0, "export", 80.0, 20.0, 30.0), 0.0)
    assert [clock.message(now_s).eta_s for now_s in (0.0, 10.0, 40.0)] == [30.0, 20.0, 0.0]
    clock.update(Report(42.0, "export", 80.0, 20.0, -1.0), 41.0)
    assert clock.message(42.0).eta_s == -1.0


def test_a_silent_stage_is_not_shown_beyond_its_own_end_when_the_plan_was_right() -> None:
    clock = ProgressClock("t1", 1, 0.0)
    clock.update(Report(50.0, "export", 70.0, 20.0, 20.0), 0.0)
    after_s = dict(watch(clock, 0.0, 20.0))
    assert 55.0 < after_s[20.0] < 70.0
