"""The JSON that callers get about a task, the workers and the service. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from protocol.data_report import DataReport
from protocol.events import iso
from protocol.messages import Progress, Tick, WorkerInfo
from protocol.task import Task, TaskState
from web.eta import End, knows_its_end

#: If tasks wait this long although workers are free, something is wrong.
STUCK_AFTER_S = 15.0


def percent(task: Task, progress: Progress | None) -> float:
    """The progress in percent. Only a finished task has 100.0."""
    if progress is None or task.ended:
        return float(task.progress)
    return float(progress.progress)


def brief_view(task: Task, progress: Progress | None) -> dict[str, Any]:
    """The eight fields of the original API. An ended task adds warnings and skippedFiles.

    A done task adds modelPath, a failed one adds error and code. A task with a time budget has the modelPath of its
    first usable model while it is still being trained.
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
    """All fields that a caller may see. Times are ISO 8601 in UTC; null means "not yet".

    end: the forecast of a task whose progress has no remaining time. now_s: the time now, in seconds since the epoch.
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
        "promoted": task.trained.promoted if task.trained else False,
        "comparison": msgspec.to_builtins(task.trained.comparison) if task.trained else None,
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
    """The report on a folder. docs/layouts.md lists the layouts and the codes of the findings."""
    view: dict[str, Any] = msgspec.to_builtins(report)
    view["skippedFiles"] = view.pop("skipped")
    return view


def check_view(report: DataReport) -> dict[str, Any]:
    """The answer to a check: the report, and whether a training could use the folder."""
    return {"trainable": report.trainable, **report_view(report)}


def workers_view(workers: Iterable[WorkerInfo], is_seen: Callable[[str], bool]) -> dict[str, Any]:
    """The registered workers. is_seen: whether the caller may see the task with this taskId."""
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
    """Whether a task could be trained now, and if not, what is missing.

    tick: the broker's newest tick, or None while the broker does not answer. synced: whether the task cache is filled.
    stuck_for_s: for how many seconds tasks have been waiting although workers are free. full_disks: the data roots with
    too little free space for a new task.
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
        missing.append(f"{tick.pending} tasks are waiting although {tick.free} workers are free")
    missing += [f"the disk of {root} is nearly full, so no new task is accepted" for root in full_disks]
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
    """The seconds until the task ends, and a range for them. None if unknown, or if the forecast range has passed."""
    if knows_its_end(progress):
        return progress.eta_s, (progress.eta_low_s, progress.eta_high_s) if progress.eta_high_s >= 0 else None
    if end is None or end.high_at_s <= now_s:
        return None, None
    low_s, middle_s, high_s = (round(max(0.0, at_s - now_s), 1) for at_s in end)
    return middle_s, (low_s, high_s)


def _iso(at_s: float) -> str | None:
    return iso(at_s) if at_s else None
