"""Where the bytes of a model come from: whether the journal shows that a worker wrote them.

If a folder is unchanged, a worker takes over the model of an earlier task and reports the hashes that stand in the
manifest in the folder. Everybody who can write to the folder can write that manifest. So such a hash counts only if the
journal also has it for the earlier task, and so on back to the task whose worker wrote the file.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from protocol.artifact import Artifact
from protocol.task import Task

#: An unchanged folder that is posted again and again makes a chain of tasks.
MOST_STEPS = 100


async def was_written_by_worker(task: Task, artifact: Artifact, find: Callable[[str], Awaitable[Task | None]]) -> bool:
    """Whether the journal shows that a worker has written this artifact of the task.

    find: returns a task of the journal, or None if the journal does not have it.
    """
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
