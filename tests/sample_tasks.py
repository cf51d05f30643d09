"""Small made-up tasks for tests that are about something else."""

from __future__ import annotations

from typing import Any

from protocol.task import TaskSpec


def hex_id(number: int = 1) -> str:
    """A taskId as the wire takes it; the cores, which are given whole messages, take any."""
    return f"{number:032x}"


def make_spec(task_id: str = "t1", user_id: str = "anna", **more: Any) -> TaskSpec:
    values: dict[str, Any] = {
        "project_id": "flowers",
        "project_dir": "anna/flowers",
        "project_path": "/projects/anna/flowers",
        "train_type": "classification",
        **more,
    }
    return TaskSpec(task_id=task_id, user_id=user_id, **values)
