"""The service itself: whether it is alive, and whether it could train a task now."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType


class Health(msgspec.Struct, frozen=True, rename="camel"):
    """The front-end is alive."""

    status: str = "ok"


class Readiness(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Whether a task could be trained now, and if not, what is missing."""

    ready: bool
    error: Annotated[str | UnsetType, Meta(description="what is missing")] = UNSET
    code: str | UnsetType = UNSET
    workers: int | UnsetType = UNSET
    warm_workers: Annotated[int | UnsetType, Meta(description="workers that have loaded TensorFlow")] = UNSET
    free_workers: int | UnsetType = UNSET
    pending_tasks: Annotated[int | UnsetType, Meta(description="tasks that wait for a worker")] = UNSET
