"""The reporter never blocks or breaks the training, and its percent never goes back."""

from __future__ import annotations

import itertools
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.pipe_messages import Report
from trainer_worker.attempt.job import Cancelled, Epoch, PlannedStage
from trainer_worker.training.reporter import ENDS_AT_BUDGET, LEAST_MARGIN, PLAN_PERCENT, REPORT_INTERVAL_S, PipeReporter

PLAN = [PlannedStage("features", 10.0), PlannedStage("head", 20.0), PlannedStage("export", 10.0)]
DEADLINE_S = 60.0


def newest(reporter: PipeReporter) -> Report:
    """What the sending thread would send next; these tests do not start it."""
    report = reporter._slot
    assert report is not None
    return report


def test_a_phase_has_its_share_of_the_percent_scale() -> None:
    reporter = PipeReporter(lambda report: None)
    reporter.plan(PLAN)
    reporter.enter("head")
    reporter.step(0.5)
    report = newest(reporter)
    assert report.progress == pytest.approx(PLAN_PERCENT * (10 + 10) / 40)
    assert report.phase_end == pytest.approx(PLAN_PERCENT * 30 / 40)
    assert (report.phase, report.phase_expected_s) == ("head", 10.0)


def test_a_time_budget_bounds_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer_worker.training.reporter.time.monotonic", lambda: 1000.0)  # no time passes
    free, bound = PipeReporter(lambda report: None, (0.5, 9.0)), PipeReporter(lambda report: None, (0.5, 9.0), 30.0)
    for reporter in (free, bound):
        reporter.plan(PLAN)
        reporter.enter("features")
    assert newest(free).remaining_high_s == pytest.approx(9.0 * 40.0 * (1 + LEAST_MARGIN) + REPORT_INTERVAL_S)
    assert newest(bound).remaining_low_s == pytest.approx(0.5 * 40.0 * (1 - LEAST_MARGIN) - REPORT_INTERVAL_S)
    report = newest(bound)
    earliest_s, likeliest_s, latest_s = (at * 30.0 for at in ENDS_AT_BUDGET)
    assert report.remaining_s == pytest.approx(likeliest_s)
    assert report.remaining_high_s == pytest.approx(latest_s)
    assert report.remaining_low_s < earliest_s  # that of the plan

    slow = PipeReporter(lambda report: None, (2.0, 9.0), 30.0)  # the budget ends it in any case
    slow.plan(PLAN)
    slow.enter("features")
    assert newest(slow).remaining_low_s == pytest.approx(earliest_s)


def test_metrics_are_kept_from_step_to_step_and_an_epochs_replace_them() -> None:
    reporter = PipeReporter(lambda report: None)
    reporter.plan(PLAN)
    reporter.enter("head")
    reporter.step(0.1, loss=2.0)
    reporter.step(0.2)
    assert newest(reporter).metrics == {"loss": 2.0}
    reporter.epoch(Epoch(3, 20, {"accuracy": 1}))
    told = newest(reporter)
    assert (told.epoch, told.epochs_max, told.metrics) == (3, 20, {"accuracy": 1.0})
    reporter.epoch(Epoch(1, 20, {"accuracy": 0.5}, "fold1"))
    assert newest(reporter).epoch == 3, "the epochs of a part were told as those of the training"
    assert isinstance(newest(reporter).metrics["accuracy"], float)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("plan"), st.lists(st.floats(0.0, 100.0), min_size=3, max_size=3)),
        st.tuples(st.just("enter"), st.sampled_from(["features", "head", "export"])),
        st.tuples(st.just("step"), st.floats(-1.0, 2.0)),
    ),
    max_size=30,
)


@settings(max_examples=200)
@given(steps=STEPS)
def test_progress_never_goes_back_whatever_is_planned_anew(steps: list[tuple[str, object]]) -> None:
    reporter = PipeReporter(lambda report: None)
    reporter.plan(PLAN)
    highest = 0.0
    for name, value in steps:
        if name == "plan":
            assert isinstance(value, list)
            reporter.plan([PlannedStage(p.name, seconds) for p, seconds in zip(PLAN, value, strict=True)])
        elif name == "enter":
            reporter.enter(str(value))
        else:
            assert isinstance(value, float)
            reporter.step(value)
        report = newest(reporter)
        assert highest <= report.progress <= PLAN_PERCENT + 1e-9
        assert report.phase_end >= report.progress
        highest = report.progress


def test_a_send_that_blocks_for_ever_does_not_stop_the_training() -> None:
    blocked, release = threading.Event(), threading.Event()

    def send(report: Report) -> None:
        blocked.set()
        release.wait(DEADLINE_S)

    with PipeReporter(send) as reporter:
        reporter.plan(PLAN)
        assert blocked.wait(DEADLINE_S), "the first report was never sent"
        began_s = time.monotonic()
        for number in range(1000):
            reporter.step(number / 1000)
        assert time.monotonic() - began_s < DEADLINE_S / 2
        release.set()


def test_an_agent_that_is_gone_does_not_break_the_training() -> None:
    tried = threading.Event()

    def send(report: Report) -> None:
        tried.set()
        raise BrokenPipeError

    with PipeReporter(send) as reporter:
        reporter.plan(PLAN)
        assert tried.wait(DEADLINE_S)
        reporter.step(0.5)


def test_at_most_four_reports_a_second_and_the_newest_of_each_moment() -> None:
    sent: list[tuple[float, Report]] = []
    with PipeReporter(lambda report: sent.append((time.monotonic(), report))) as reporter:
        reporter.plan(PLAN)
        began_s = time.monotonic()
        steps = 0
        while time.monotonic() - began_s < 1.1:
            steps += 1
            reporter.step((time.monotonic() - began_s) / 2)
    times = [at_s for at_s, _ in sent[:-1]]  # The last one is sent at once.
    assert steps > 10 * len(sent)
    assert 2 <= len(sent) <= 6
    assert all(later - earlier > 0.9 * REPORT_INTERVAL_S for earlier, later in itertools.pairwise(times))
    percents = [report.progress for _, report in sent]
    assert percents == sorted(percents)


def test_a_cancelled_training_is_told_at_its_next_step() -> None:
    reporter = PipeReporter(lambda report: None)
    reporter.plan(PLAN)
    reporter.step(0.1)
    reporter.halt(keep=False)
    assert not reporter.stop_requested
    with pytest.raises(Cancelled):
        reporter.step(0.2)
    with pytest.raises(Cancelled):
        reporter.enter("head")


def test_stop_and_keep_raises_nothing() -> None:
    reporter = PipeReporter(lambda report: None)
    reporter.plan(PLAN)
    assert not reporter.stop_requested
    reporter.halt(keep=True)
    reporter.step(0.2)
    assert reporter.stop_requested


def test_leaving_ends_the_thread() -> None:
    with PipeReporter(lambda report: None) as reporter:
        thread = reporter._thread
        assert thread.is_alive()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
