"""Tasks and reports on folders as callers of the API of version 1 get them. Pure."""

from __future__ import annotations

import re

import msgspec

from protocol.comparison import Comparison
from protocol.data_report import DataReport
from protocol.messages import Progress
from protocol.task import Task
from web.answers.views import brief_view, percent, time_or_none
from web.api.tasks import CheckView, ComparisonView, EndedAttempt, FolderReport, TaskSummary, TaskView
from web.broker_link.task_cache import Entry
from web.forecast.eta import End, knows_its_end


def task_view(entry: Entry, end: End | None = None, now_s: float = 0.0) -> TaskView:
    """All fields that a caller may see.

    end: the forecast of a task whose progress has no remaining time. now_s: the time now, in seconds since the epoch.
    """
    task, progress = entry.task, entry.progress
    spec, trained = task.spec, task.trained
    eta_s, eta_range_s = _seconds_left(progress, end, now_s)
    brief = {_snake(name): value for name, value in brief_view(task, progress).items()}
    return TaskView(
        **brief,
        options=spec.options,
        metadata=spec.metadata,
        attempt=task.attempt,
        phase=progress.phase if progress else "",
        epoch=progress.epoch if progress else 0,
        epochs_max=progress.epochs_max if progress else 0,
        helpers=progress.helpers if progress and not task.ended else 0,
        eta_seconds=eta_s,
        eta_range_seconds=eta_range_s,
        metrics=trained.metrics if trained else (progress.metrics if progress else {}),
        stage_seconds=trained.stage_seconds if trained else {},
        end_reason=trained.end_reason if trained else "",
        data_report=report_view(task.data) if task.data else None,
        promoted=task.promoted,
        promoted_at=time_or_none(task.in_use_since_s),
        comparison=_comparison_view(trained.comparison) if trained and trained.comparison else None,
        stopped_early=trained.stopped_early if trained else False,
        stop_requested=task.stop_requested,
        cancel_requested=task.cancel_requested,
        submitted_at=time_or_none(task.submitted_at_s),
        started_at=time_or_none(task.started_at_s),
        ended_at=time_or_none(task.ended_at_s),
        ended_attempts=tuple(
            EndedAttempt(e.attempt, e.worker, e.code, e.error, time_or_none(e.at_s)) for e in task.ended_attempts
        ),
        retry_of=spec.retry_of,
        request_id=spec.request_id,
        seq=entry.seq,
    )


def summary_view(task: Task, progress: Progress | None, end: End | None = None, now_s: float = 0.0) -> TaskSummary:
    """A task in a list. end, now_s: the same as in `task_view`."""
    spec = task.spec
    _, eta_range_s = (None, None) if task.ended else _seconds_left(progress, end, now_s)
    return TaskSummary(
        task_id=spec.task_id,
        progress=percent(task, progress),
        thread=task.thread,
        state=task.state,
        user_id=spec.user_id,
        project_id=spec.project_id,
        project_dir=spec.project_dir,
        train_type=spec.train_type,
        metadata=spec.metadata,
        phase=progress.phase if progress and not task.ended else "",
        attempt=task.attempt,
        eta_range_seconds=eta_range_s,
        metrics=task.trained.metrics if task.trained else {},
        error=task.failure.error if task.failure else "",
        code=task.failure.code if task.failure else "",
        submitted_at=time_or_none(task.submitted_at_s),
        started_at=time_or_none(task.started_at_s),
        ended_at=time_or_none(task.ended_at_s),
        retry_of=spec.retry_of,
    )


def report_view(report: DataReport) -> FolderReport:
    """The report on a folder. docs/layouts.md lists the layouts and the codes of the findings."""
    return FolderReport(
        report.layout, report.rule, report.pictures, report.counts, report.split, report.findings, report.skipped
    )


def check_view(report: DataReport) -> CheckView:
    """The answer to a check: the report, and whether a training could use the folder."""
    return CheckView(**msgspec.structs.asdict(report_view(report)), trainable=report.trainable)


def _comparison_view(comparison: Comparison) -> ComparisonView:
    return ComparisonView(**msgspec.structs.asdict(comparison))


def _snake(name: str) -> str:
    """The name of a field in Python, from its name in JSON."""
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def _seconds_left(
    progress: Progress | None, end: End | None, now_s: float
) -> tuple[float | None, tuple[float, float] | None]:
    """The seconds until the task ends, and a range for them. None if unknown, or if the forecast range has passed."""
    if knows_its_end(progress):
        return progress.eta_s, (progress.eta_low_s, progress.eta_high_s) if progress.eta_high_s >= 0 else None
    if end is None or end.high_at_s <= now_s:
        return None, None
    low_s, middle_s, high_s = (round(max(0.0, at_s - now_s), 1) for at_s in end[:3])
    return middle_s, (low_s, high_s)
