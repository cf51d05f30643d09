"""Pages of lists of tasks, with the number of tasks in each state, read from the journal.

A page must take a few milliseconds also out of 100,000 tasks, whatever the filter. So each list is read from an index
that has all columns that are filtered by, and the big records are fetched only for the tasks of the page. An index
holds the tasks of each state in the order of the list. The states are read one by one, which makes counting them
cheap, and are then merged.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from broker.journal_rows import task_of
from broker.journal_view import JournalView, PlaceRow, Stretch
from broker.list_cursor import Place, cursor_after, place_in
from protocol import messages as m
from protocol.bounds import PART_BYTES
from protocol.data_report import DataReport
from protocol.queries import InUseWanted, TaskPage, TasksWanted
from protocol.task import ENDED_STATES, Task, TaskState
from protocol.task_filter import TaskFilter, TaskOrder

log = logging.getLogger("broker")

#: So many tasks of a state are read at once and sorted here. More of them are read page by page.
FEW_TASKS = 500

_encoder = msgspec.msgpack.Encoder()


class TaskLists:
    def __init__(self, view: JournalView) -> None:
        self._view = view
        self._named: set[str] = set()

    def page(self, request: TasksWanted) -> TaskPage | m.Refused:
        """The answer to a request. Tasks that cannot be read are left out and named in the log."""
        wanted, order = request.wanted, request.order
        after: Place | None = None
        if request.cursor:
            place = place_in(request.cursor, wanted, order)
            if isinstance(place, str):
                return m.Refused(request.request_id, "bad_fields", place)
            after = place
        searched = self._searched(wanted, order) if wanted.search else None
        counts: dict[TaskState, int] = {}
        streams: list[Iterable[Place]] = []
        for state in TaskState:
            is_shown = request.most > 0 and (state in wanted.states or not wanted.states)
            few = searched[state] if searched is not None else None
            if is_shown and not wanted.search:
                few = self._few(wanted, state, order)
            counts[state] = len(few) if few is not None else self._view.count(wanted, state)
            if is_shown and counts[state]:
                stream = self._stream(state, request, after) if few is None else _beyond(after, few, order)
                streams.append(stream)
        # Each stream has one more than the page, so this many of all of them are in the right order.
        merged = heapq.merge(*streams, reverse=order.startswith("-"))
        places = list(itertools.islice(merged, request.most + 1))
        tasks, used = self._tasks(places[: request.most])
        rest = cursor_after(places[used - 1], wanted, order) if 0 < used < len(places) else ""
        return TaskPage(request.request_id, self._view.newest_seq(), tuple(tasks), rest, counts)

    def in_use(self, request: InUseWanted) -> TaskPage:
        """The tasks whose models came into use in a project, the last one first."""
        rows = self._view.in_use(request.user_id, request.project_id, request.most)
        tasks, _ = self._tasks([Place(*row) for row in rows])
        return TaskPage(request.request_id, self._view.newest_seq(), tuple(tasks), "", {})

    def _searched(self, wanted: TaskFilter, order: TaskOrder) -> dict[TaskState, list[Place]] | None:
        """All tasks that a search finds, by state and in any order. None if they are too many for that."""
        found = self._view.found(wanted, FEW_TASKS)
        if found is None:
            return None
        places: dict[TaskState, list[Place]] = {state: [] for state in TaskState}
        for state, row in found:
            if state in places:
                places[TaskState(state)].append(_place(row, TaskState(state), order))
        return places

    def _few(self, wanted: TaskFilter, state: TaskState, order: TaskOrder) -> list[Place] | None:
        """All tasks in this state, in any order. None if they are more than FEW_TASKS.

        For a filter that few tasks meet, this one look through the index gives both their number and the page.
        """
        found = [_place(row, state, order) for row in self._view.places(wanted, state, FEW_TASKS + 1)]
        return found if len(found) <= FEW_TASKS else None

    def _stream(self, state: TaskState, request: TasksWanted, after: Place | None) -> Iterator[Place]:
        """The next of the many tasks in this state, in the order of the list."""
        by_end = request.order.endswith("endedAt") and state in ENDED_STATES
        descending = request.order.startswith("-")
        compared: tuple[float | str, ...] = ()
        if after is not None and (by_end or state in ENDED_STATES or after.ended_at_s in (0.0, math.inf)):
            compared = after if by_end else after[1:]
        elif after is not None and descending:
            return  # Tasks that have not ended come first, and all of them have been shown.
        for row in self._view.stretch(request.wanted, state, Stretch(by_end, descending, compared, request.most + 1)):
            yield _place(row, state, request.order)

    def _tasks(self, places: list[Place]) -> tuple[list[Task], int]:
        """The tasks of a page, as many as fit into a message, and how many places that were."""
        numbers = {place.task_id: number for number, place in enumerate(places)}
        tasks: list[Task] = []
        size_bytes = 0
        for row in self._view.tasks(list(numbers)):
            task_id = row[0]
            try:
                task = listed(task_of(row))
            except msgspec.DecodeError as error:
                self._name_left_out(task_id, error)
                continue
            size_bytes += len(_encoder.encode(task))
            if tasks and size_bytes > PART_BYTES:
                return tasks, numbers[task_id]
            tasks.append(task)
        return tasks, len(places)

    def _name_left_out(self, task_id: str, error: msgspec.DecodeError) -> None:
        if task_id not in self._named:
            self._named.add(task_id)
            log.error("action=journal.task_left_out task=%r reason='its record cannot be read: %s'", task_id, error)


def listed(task: Task) -> Task:
    """The task as lists have it: without the report on its folder, warnings and traces, which can be long."""
    trained, failure = task.trained, task.failure
    if trained is not None:
        trained = replace(trained, data=DataReport(skipped=trained.data.skipped), warnings=())
    if failure is not None:
        failure = replace(failure, data=DataReport(skipped=failure.data.skipped), trace="")
    return replace(task, trained=trained, failure=failure)


def _place(row: PlaceRow, state: TaskState, order: TaskOrder) -> Place:
    if not order.endswith("endedAt"):
        return Place(0.0, row[1], row[2])
    return Place(row[0] if state in ENDED_STATES else math.inf, row[1], row[2])


def _beyond(after: Place | None, places: list[Place], order: TaskOrder) -> list[Place]:
    """The places that the list still has to show, in its order."""
    descending = order.startswith("-")
    left = (p for p in places if after is None or (p < after if descending else p > after))
    return sorted(left, reverse=descending)
