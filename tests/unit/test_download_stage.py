"""The photos of a project in object storage come in a stage of their own, which counts in percent and in time."""

from __future__ import annotations

import pytest

from protocol.pipe_messages import Report
from protocol.sizes import MB
from trainer_worker.attempt.job import Cancelled, PlannedStage
from trainer_worker.training.download import Download
from trainer_worker.training.reporter import PLAN_PERCENT, PipeReporter


def test_bytes_are_told_and_later_plans_share_the_rest() -> None:
    told: list[Report] = []
    with PipeReporter(told.append) as reporter:
        download = Download(reporter)
        download.step(0)
        download.planned(10, 2 * MB)
        download.step(MB)
        sentence = download.ended()
        reporter.plan([PlannedStage("train", 1.0)])
        after_download = reporter._floor_percent
        reporter.enter("train")
        reporter.step(0.5)
        half = reporter._floor_percent
        reporter.step(1.0)
        assert reporter._floor_percent == pytest.approx(PLAN_PERCENT)
    assert sentence.startswith("10 files with 2 MB have come from object storage in ")
    assert 0 < after_download < 20
    assert half == pytest.approx((after_download + PLAN_PERCENT) / 2)
    assert download.seconds.keys() == {"download"}
    assert "bytes_done" not in told[-1].metrics


def test_the_bytes_are_metrics_while_they_come() -> None:
    told: list[Report] = []
    reporter = PipeReporter(told.append)
    download = Download(reporter)
    download.planned(10, 2_000_000)
    download.step(500_000)
    with reporter:
        pass
    assert told[-1].phase == "download"
    assert told[-1].metrics == {"bytes_done": 500_000, "bytes_total": 2_000_000}
    assert told[-1].remaining_s > 0


def test_nothing_is_said_where_nothing_had_to_come() -> None:
    download = Download(PipeReporter(lambda report: None))
    download.planned(0, 0)
    download.step(0)
    assert download.ended() == ""
    assert download.seconds == {}


def test_a_cancel_is_heard() -> None:
    reporter = PipeReporter(lambda report: None)
    reporter.halt(keep=False)
    with pytest.raises(Cancelled):
        Download(reporter).step(0)
