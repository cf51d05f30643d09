"""Answers to front-ends that change nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from protocol import messages as m
from protocol.errors import no_such_task
from protocol.task import Task, TaskState

SNAPSHOT_PART_TASKS = 500


def about_ended(request: m.Lookup | m.Cancel | m.StopEarly, task: Task | None, seq: int) -> m.TaskReply | m.Refused:
    """The answer about a task that has ended (None: that was never here, or is past its retention).

    Asking again for what has happened gets the same answer; asking for another end is refused.
    """
    if task is None:
        return m.Refused(request.request_id, "unknown_task", no_such_task(request.task_id))
    as_asked = (
        isinstance(request, m.Lookup)
        or (isinstance(request, m.Cancel) and task.state is TaskState.CANCELLED)
        or (isinstance(request, m.StopEarly) and task.state is TaskState.DONE and task.stop_requested)
    )
    if as_asked:
        return m.TaskReply(request.request_id, seq, task)
    error = f"The task has ended already: it is {task.state.value}."
    return m.Refused(request.request_id, "task_ended", error, task)


def snapshot_parts(
    request_id: int, seq: int, tasks: Sequence[Task], progress: Mapping[str, m.Progress]
) -> Iterator[m.SnapshotPart]:
    """All tasks in messages of a bearable size; one empty part when there are none."""
    starts = range(0, max(len(tasks), 1), SNAPSHOT_PART_TASKS)
    for start in starts:
        part = tuple(tasks[start : start + SNAPSHOT_PART_TASKS])
        known = tuple(progress[task.task_id] for task in part if task.task_id in progress)
        yield m.SnapshotPart(request_id, seq, part, known, first=start == 0, last=start == starts[-1])
