"""Workers, as callers see them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

#: starting: TensorFlow is being loaded. draining: the worker takes no new task.
WorkerState = Literal["starting", "free", "training", "draining"]


class WorkerView(msgspec.Struct, frozen=True, rename="camel"):
    """One registered worker."""

    name: str
    host: str
    ready: Annotated[bool, Meta(description="whether it could start a task now")]
    state: WorkerState
    task_id: Annotated[str, Meta(description="the task that it trains, or empty; also empty for another user's task")]
    helping: Annotated[
        str, Meta(description="the task of another worker that it helps with, or empty; also empty for another user's")
    ]
    train_types: tuple[str, ...]
    devices: Annotated[tuple[str, ...], Meta(description="what TensorFlow sees, such as CPU")]
    memory_mb: float
    tasks_done: Annotated[int, Meta(description="tasks that it has ended since its start, however they ended")]
    last_heard_at: str | None
    labels: Annotated[dict[str, str], Meta(description="what it has; tasks may ask for it by the option needs")]
    versions: Annotated[dict[str, str], Meta(description="of tfmodel, tensorflow and python on its machine")]
    clock_skew_seconds: Annotated[float, Meta(description="by how much its clock is ahead of the broker's")]


class PoolView(msgspec.Struct, frozen=True, rename="camel"):
    """A pool of equal workers, which the cluster's controller starts and ends as tasks need them."""

    name: str
    labels: Annotated[dict[str, str], Meta(description="what its workers have, for tasks with needs")]
    wanted: Annotated[int, Meta(description="the workers that the controller aims for")]
    starting: int
    running: Annotated[int, Meta(description="those that have registered, draining ones included")]
    draining: int
    min_workers: int
    max_workers: int
    reason: Annotated[
        str, Meta(description="why it has that many workers; empty for a token that sees one user's tasks only")
    ]
    decided_at: str | None


class WorkerList(msgspec.Struct, frozen=True, rename="camel"):
    """All registered workers, and the pools of the cluster, if one is used."""

    workers: tuple[WorkerView, ...]
    more: Annotated[int, Meta(description="workers that did not fit into the answer")]
    pools: tuple[PoolView, ...]
