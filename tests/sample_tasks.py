"""Small made-up tasks for tests that are about something else."""

from __future__ import annotations

import hashlib
from typing import Any

from protocol.artifact import Artifact
from protocol.events import Event, EventType, iso
from protocol.messages import TaskChanged
from protocol.task import Task, TaskSpec, TaskState

#: The event with which a task most likely came into its state.
LIKELY_EVENTS: dict[TaskState, EventType] = {
    TaskState.PENDING: "task.submitted",
    TaskState.PROCESSING: "task.started",
    TaskState.DONE: "task.done",
    TaskState.FAILED: "task.failed",
    TaskState.CANCELLED: "task.cancelled",
}


def hex_id(name: object = 1) -> str:
    """A task id for a test to know by a name or a number."""
    return hashlib.sha256(str(name).encode()).hexdigest()[:32]


def make_artifact(name: str = "model.tflite") -> Artifact:
    return Artifact(name, 1000, hashlib.sha256(name.encode()).hexdigest())


def make_spec(task_id: str = "t1", user_id: str = "anna", **more: Any) -> TaskSpec:
    values: dict[str, Any] = {
        "project_id": "flowers",
        "project_dir": "anna/flowers",
        "project_path": "/projects/anna/flowers",
        "train_type": "classification",
        **more,
    }
    return TaskSpec(task_id=task_id, user_id=user_id, **values)


def make_event(seq: int, task: Task, **more: Any) -> Event:
    """The event by which a task most likely came into its state."""
    values: dict[str, Any] = {
        "type": LIKELY_EVENTS[task.state],
        "at": iso(1000.0 + seq),
        "state": task.state.value,
        "progress": task.progress,
        "attempt": task.attempt,
        **more,
    }
    spec = task.spec
    return Event(
        id=seq,
        task_id=spec.task_id,
        user_id=spec.user_id,
        project_id=spec.project_id,
        train_type=spec.train_type,
        **values,
    )


def changed(seq: int, task: Task) -> TaskChanged:
    """What the broker publishes after fact number `seq`."""
    return TaskChanged(seq, task, make_event(seq, task))
