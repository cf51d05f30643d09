"""What callers see of a task. Pure."""

from __future__ import annotations

import datetime
from typing import Any

from protocol.messages import Progress
from protocol.task import Task, TaskState
from web.eta import End, knows_its_end


def percent(task: Task, progress: Progress | None) -> float:
    """0.0 to 100.0; 100.0 for a finished task only."""
    if progress is None or task.ended:
        return float(task.progress)
    return float(progress.progress)


def brief_view(task: Task, progress: Progress | None) -> dict[str, Any]:
    """The eight fields of the original API; an ended task adds modelPath, or error and code. A task with a time
    budget shows the modelPath of its first usable model already while it is being trained.
    """
    spec = task.spec
    view: dict[str, Any] = {
        "taskId": spec.task_id,
        "progress": percent(task, progress),
        "thread": task.thread,
        "state": task.state.value,
        "userId": spec.user_id,
        "projectId": spec.project_id,
        "projectDir": spec.project_dir,
        "trainType": spec.train_type,
    }
    if task.state is TaskState.DONE and task.trained is not None:
        view["modelPath"] = task.trained.model_path
    if task.state is TaskState.PROCESSING and progress is not None and progress.model_path:
        view["modelPath"] = progress.model_path
    if task.state is TaskState.FAILED and task.failure is not None:
        view["error"] = task.failure.error
        view["code"] = task.failure.code
    return view


def full_view(task: Task, progress: Progress | None, end: End | None = None, now_s: float = 0.0) -> dict[str, Any]:
    """Everything that a caller may know. Times are ISO 8601 in UTC, null for "not yet".

    end: the forecast, for a task that does not know its end; now_s: seconds since the epoch.
    """
    view = brief_view(task, progress)
    eta_s, eta_range_s = _seconds_left(progress, end, now_s)
    view |= {
        "options": task.spec.options,
        "attempt": task.attempt,
        "phase": progress.phase if progress else "",
        "epoch": progress.epoch if progress else 0,
        "etaSeconds": eta_s,
        "etaRangeSeconds": eta_range_s,
        "metrics": task.trained.metrics if task.trained else (progress.metrics if progress else {}),
        "stageSeconds": task.trained.stage_seconds if task.trained else {},
        "endReason": task.trained.end_reason if task.trained else "",
        "stoppedEarly": task.trained.stopped_early if task.trained else False,
        "cancelRequested": task.cancel_requested,
        "submittedAt": _iso(task.submitted_at_s),
        "startedAt": _iso(task.started_at_s),
        "endedAt": _iso(task.ended_at_s),
        "endedAttempts": [
            {"attempt": e.attempt, "thread": e.worker, "code": e.code, "error": e.error, "endedAt": _iso(e.at_s)}
            for e in task.ended_attempts
        ],
    }
    return view


def _seconds_left(
    progress: Progress | None, end: End | None, now_s: float
) -> tuple[float | None, tuple[float, float] | None]:
    """Until the task's end, and the range for it; None for what is not known. A forecast that has passed is none."""
    if knows_its_end(progress):
        return progress.eta_s, (progress.eta_low_s, progress.eta_high_s) if progress.eta_high_s >= 0 else None
    if end is None or end.high_at_s <= now_s:
        return None, None
    low_s, middle_s, high_s = (round(max(0.0, at_s - now_s), 1) for at_s in end)
    return middle_s, (low_s, high_s)


def _iso(at_s: float) -> str | None:
    if not at_s:
        return None
    return datetime.datetime.fromtimestamp(at_s, datetime.UTC).isoformat(timespec="milliseconds")
