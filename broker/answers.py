"""Answers to front-ends that change no state, and splitting long lists into several messages. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

import msgspec

from broker.queue import WaitingTasks
from protocol import messages as m
from protocol.bounds import MAX_PAYLOAD_BYTES, PART_BYTES
from protocol.errors import no_such_task
from protocol.queries import QueuePart, QueuePlace, QueueWanted
from protocol.task import ENDED_STATES, Task, TaskState

SNAPSHOT_PART_TASKS = 500
#: Of a task with facts in the journal that are damaged or contradict each other.
LEFT_OUT = (
    "The broker could not read this task from its journal when it started, and left it out: it is not trained, so "
    "there is nothing to end. Post the folder again."
)

Item = TypeVar("Item")
_encoder = msgspec.msgpack.Encoder()


def queue_part(request: QueueWanted, waiting: WaitingTasks) -> QueuePart:
    """The part of the queue that was asked for."""
    found = waiting.places(request.user_id, request.after, request.most + 1)
    shown = found[: request.most]
    places = tuple(QueuePlace(position, task_id) for position, task_id in shown)
    return QueuePart(request.request_id, places, len(waiting), shown[-1][0] if len(found) > len(shown) else 0)


def about_ended(request: m.Lookup | m.Cancel | m.StopEarly, task: Task | None, seq: int) -> m.TaskReply | m.Refused:
    """Return the answer to a request about a task that has ended. task: None if it is unknown or has been forgotten.

    A Cancel of a cancelled task, or a StopEarly of a task that ended by one, gets the task like the first time. For a
    task that ended otherwise, both are refused.
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
    if task.state not in ENDED_STATES:  # only a task that was left out at the start is live and not in memory
        return m.Refused(request.request_id, "task_left_out", LEFT_OUT, task)
    error = f"The task has ended already: it is {task.state.value}."
    return m.Refused(request.request_id, "task_ended", error, task)


def as_many_as_fit(infos: tuple[m.WorkerInfo, ...]) -> tuple[tuple[m.WorkerInfo, ...], int]:
    """The workers that one message has room for, and how many are left out.

    Ten thousand workers of ours fit. Only long names or many devices can make them too large together.
    """
    room_bytes = MAX_PAYLOAD_BYTES - PART_BYTES
    for number, info in enumerate(infos):
        room_bytes -= len(_encoder.encode(info))
        if room_bytes < 0:
            return infos[:number], len(infos) - number
    return infos, 0


class Parts(Generic[Item]):
    """Items divided into lists that each fit into one message. `too_large` has those that fit into none.

    The bounds of the fields should keep every item below PART_BYTES. If one exceeds it nevertheless, the front-end must
    still get the others.
    """

    def __init__(self, items: Iterable[Item], most_items: int) -> None:
        self.lists: list[list[Item]] = []
        self.too_large: list[Item] = []
        part: list[Item] = []
        part_bytes = 0
        for item in items:
            size = len(_encoder.encode(item))
            if size > PART_BYTES:
                self.too_large.append(item)
                continue
            if part and (len(part) == most_items or part_bytes + size > PART_BYTES):
                self.lists.append(part)
                part, part_bytes = [], 0
            part.append(item)
            part_bytes += size
        if part:
            self.lists.append(part)


def snapshot_parts(
    request_id: int, seq: int, parts: Parts[Task], progress: Mapping[str, m.Progress]
) -> Iterator[m.SnapshotPart]:
    """The messages of a snapshot. If there are no tasks, it is one empty message."""
    lists = parts.lists or [[]]
    for number, tasks in enumerate(lists):
        known = tuple(progress[task.task_id] for task in tasks if task.task_id in progress)
        yield m.SnapshotPart(request_id, seq, tuple(tasks), known, first=number == 0, last=number == len(lists) - 1)
