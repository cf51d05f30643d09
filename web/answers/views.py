"""What callers get about workers and the service, and the eight fields of a task. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from protocol.events import iso
from protocol.messages import PoolInfo, Progress, Tick, WorkerInfo, Workers
from protocol.task import Task, TaskState
from web.api.service import Readiness
from web.api.workers import PoolView, WorkerList, WorkerState, WorkerView

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
    first usable model before its end. A lost attempt does not take that away, because the model stays where it is.
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
    elif task.usable is not None:
        view["modelPath"] = task.usable.model_path
    if task.state is TaskState.FAILED and task.failure is not None:
        view["error"] = task.failure.error
        view["code"] = task.failure.code
    return view


def workers_view(answer: Workers, is_seen: Callable[[str], bool], sees_all: bool) -> WorkerList:
    """The registered workers and the cluster's pools.

    is_seen: whether the caller may see the task with this taskId. sees_all: whether the caller sees all users' tasks; a
    pool's reason may repeat what a program has said on a node.
    """
    return WorkerList(
        tuple(worker_view(worker, is_seen) for worker in answer.workers),
        answer.more,
        tuple(_pool_view(pool, pool.reason if sees_all else "") for pool in answer.pools),
    )


def _pool_view(pool: PoolInfo, reason: str) -> PoolView:
    return PoolView(
        name=pool.name,
        labels=pool.labels,
        wanted=pool.wanted,
        starting=pool.starting,
        running=pool.running,
        draining=pool.draining,
        min_workers=pool.min_workers,
        max_workers=pool.max_workers,
        reason=reason,
        decided_at=time_or_none(pool.at_s),
    )


def worker_view(worker: WorkerInfo, is_seen: Callable[[str], bool]) -> WorkerView:
    return WorkerView(
        name=worker.worker,
        host=worker.host,
        ready=worker.ready,
        state=_state_of(worker),
        task_id=worker.holds if worker.holds and is_seen(worker.holds) else "",
        helping=worker.helping if worker.helping and is_seen(worker.helping) else "",
        train_types=worker.train_types,
        devices=worker.devices,
        memory_mb=round(worker.memory_mb, 1),
        tasks_done=worker.tasks_done,
        last_heard_at=time_or_none(worker.heard_at_s),
        labels=worker.labels,
        versions=worker.versions,
        clock_skew_seconds=round(worker.clock_skew_s, 1),
    )


def _state_of(worker: WorkerInfo) -> WorkerState:
    if worker.draining:
        return "draining"
    if worker.holds:
        return "training"
    return "free" if worker.ready else "starting"


def readiness_view(tick: Tick | None, synced: bool, stuck_for_s: float, full_disks: Sequence[str]) -> Readiness:
    """Whether a task could be trained now, and if not, what is missing.

    tick: the broker's newest tick, or None while the broker does not answer. synced: whether the task cache is filled.
    stuck_for_s: for how many seconds tasks have been waiting although workers that could start them are free.
    full_disks: the data roots with too little free space for a new task.
    """
    missing = []
    # Workers that the cluster starts when a task comes are as good as those that are there.
    can_start = tick is not None and any(pool.max_workers for pool in tick.pools)
    if tick is None:
        missing.append("the broker is not answering")
    elif not synced:
        missing.append("the task cache is not filled yet")
    elif not can_start:
        missing += _missing_workers(tick)
    if tick is not None and stuck_for_s > STUCK_AFTER_S:
        missing.append(f"{tick.overdue} tasks are waiting although workers that could start them are free")
    missing += [f"the disk of {root} is nearly full, so no new task is accepted" for root in full_disks]
    view = Readiness(ready=not missing)
    if missing:
        view = replace(view, error=f"No task could be trained now: {'; '.join(missing)}.", code="not_ready")
    if tick is None:
        return view
    return replace(
        view, workers=tick.workers, warm_workers=tick.warm, free_workers=tick.free, pending_tasks=tick.pending
    )


def _missing_workers(tick: Tick) -> list[str]:
    """Why none of the registered workers will take a new task; [] if one will, at the latest after its present task."""
    if tick.workers == 0:
        return ["no worker is registered"]
    if tick.draining + len(tick.last_tasks) >= tick.workers:
        return ["all workers are draining, so they take no new task"]
    # Draining workers that still train count as warm, but the task of each is its last.
    return [] if tick.warm > len(tick.last_tasks) else ["no worker has loaded TensorFlow yet"]


def time_or_none(at_s: float) -> str | None:
    """The time as ISO 8601; None for 0.0, which means "not yet"."""
    return iso(at_s) if at_s else None
