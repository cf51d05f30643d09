"""Small made-up tasks for tests that are about something else."""

from __future__ import annotations

import hashlib
from typing import Any

from protocol.task import TaskSpec


def hex_id(name: object = 1) -> str:
    """A task id for a test to know by a name or a number."""
    return hashlib.sha256(str(name).encode()).hexdigest()[:32]


def make_spec(task_id: str = "t1", user_id: str = "anna", **more: Any) -> TaskSpec:
    values: dict[str, Any] = {
        "project_id": "flowers",
        "project_dir": "anna/flowers",
        "project_path": "/projects/anna/flowers",
        "train_type": "classification",
        **more,
    }
    return TaskSpec(task_id=task_id, user_id=user_id, **values)
