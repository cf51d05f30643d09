"""What a waiting task lacks, as a sentence. Pure."""

from __future__ import annotations

from protocol.messages import Tick
from protocol.task import Task, TaskState


def waiting_for(task: Task, tick: Tick | None) -> str:
    """What must come before the task can start; "" if nothing is known to be missing. tick: the broker's newest one."""
    if task.state is not TaskState.PENDING or tick is None:
        return ""
    train_type, needs = task.spec.train_type, task.spec.needs
    if all((unmet.train_type, unmet.needs) != (train_type, needs) for unmet in tick.unmet):
        return ""
    if not tick.workers:
        return "No worker is registered; the task starts when one is."
    wanted = f" with {', '.join(needs)}" if needs else ""
    return f"No worker that trains {train_type}{wanted} is registered; the task starts when one is."
