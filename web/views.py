"""What callers see of a task, of the workers and of the service. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from protocol.data_report import DataReport
from protocol.messages import Progress, Tick, WorkerInfo
from protocol.task import Task, TaskState
from web.eta import End, knows_its_end

#: Waiting tasks and free workers side by side for this long mean that something is wrong.
STUCK_AFTER_S = 15.0


def percent(task: Task, progress: Progress | None) -> float:
    """0.0 to 100.0; 100.0 for a finished task only."""
    if progress is None or task.ended:
        return float(task.progress)
    return float(progress.progress)


def brief_view(task: Task, progress: Progress | None) -> dict[str, Any]:
    """The eight fields of the original API. An ended task adds warnings and skippedFiles, and modelPath, or error and
    code. A task with a time budget shows the modelPath of its first usable model already while it is being trained.
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
    if task.ended:
        view["warnings"] = list(task.warnings)
        view["skippedFiles"] = task.data.skipped if task.data else 0
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
        "dataReport": report_view(task.data) if task.data else None,
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


def report_view(report: DataReport) -> dict[str, Any]:
    """The report on a folder. docs/layouts.md lists the layouts, docs/findings.md the codes of the findings."""
    view: dict[str, Any] = msgspec.to_builtins(report)
    view["skippedFiles"] = view.pop("skipped")
    return view


def check_view(report: DataReport) -> dict[str, Any]:
    """The answer to a check: the report, and whether a training could use the folder."""
    return {"trainable": report.trainable, **report_view(report)}


def workers_view(workers: Iterable[WorkerInfo], is_seen: Callable[[str], bool]) -> dict[str, Any]:
    """The registered workers. is_seen: whether the caller may know of the task with this taskId."""
    return {
        "workers": [
            {
                "name": worker.worker,
                "host": worker.host,
                "ready": worker.ready,
                "taskId": worker.holds if worker.holds and is_seen(worker.holds) else "",
            }
            for worker in workers
        ]
    }


def readiness_view(tick: Tick | None, synced: bool, stuck_for_s: float, full_disks: Sequence[str]) -> dict[str, Any]:
    """Whether a task could be trained now; if not, what is missing.

    tick: the broker's newest, None while it is away. synced: whether the task cache is filled. stuck_for_s: for how
    long tasks have been waiting while workers are free. full_disks: the data roots on which no new task is taken.
    """
    missing = []
    if tick is None:
        missing.append("the broker is not answering")
    elif not synced:
        missing.append("the task cache is not filled yet")
    elif tick.workers == 0:
        missing.append("no worker is registered")
    elif tick.warm == 0:
        missing.append("no worker has loaded TensorFlow yet")
    elif stuck_for_s > STUCK_AFTER_S:
        missing.append(f"{tick.pending} tasks wait although {tick.free} workers are free")
    missing += [f"the disk of {root} is nearly full, so no new task is taken" for root in full_disks]
    view: dict[str, Any] = {"ready": not missing}
    if missing:
        view |= {"error": f"No task could be trained now: {'; '.join(missing)}.", "code": "not_ready"}
    if tick is not None:
        view |= {
            "workers": tick.workers,
            "warmWorkers": tick.warm,
            "freeWorkers": tick.free,
            "pendingTasks": tick.pending,
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
