"""Whether the journal vouches for the bytes of a model.

A worker takes an unchanged model over from an earlier task and reports the hashes that the manifest in the folder
names. Whoever can write to the folder can write that manifest. Such a hash counts only if the journal has it of the
earlier task as well, and of the attempt that wrote the file in the end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from protocol.artifact import Artifact
from protocol.task import Task

#: An unchanged folder that is posted again and again makes a chain of tasks.
MOST_STEPS = 100


async def is_vouched_for(task: Task, artifact: Artifact, find: Callable[[str], Awaitable[Task | None]]) -> bool:
    """Whether a worker has written this artifact of a task itself. find: a task of the journal; None if unknown."""
    for _ in range(MOST_STEPS):
        if task.trained is None:
            return task.usable is not None and task.usable.artifact == artifact
        if artifact not in task.trained.artifacts:
            return False
        earlier_id = task.trained.taken_over_from
        if not earlier_id:
            return True
        earlier = await find(earlier_id) if earlier_id != task.task_id else None
        if earlier is None or earlier.spec.project_path != task.spec.project_path:
            return False
        task = earlier
    return False
