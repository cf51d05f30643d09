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
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from broker.journal_rows import SELECT_TASKS, task_of
from broker.list_cursor import Place, cursor_after, place_in
from broker.past_events import newest_seq
from protocol import messages as m
from protocol.bounds import PART_BYTES
from protocol.data_report import DataReport
from protocol.queries import InUseWanted, TaskPage, TasksWanted
from protocol.task import ENDED_STATES, Task, TaskState
from protocol.task_filter import TaskFilter, TaskOrder

log = logging.getLogger("broker")

#: So many tasks of a state are read at once and sorted here. More of them are read page by page.
FEW_TASKS = 500
COLUMNS = "ended_at_s, submitted_at_s, task_id"
#: The columns that a search looks at, and the indexes that begin with them. That of task_id is the table itself.
SEARCHED = {
    "task_id": "",
    "user_id": "INDEXED BY tasks_by_user",
    "project_id": "INDEXED BY tasks_by_project",
}

#: SQLite keeps any value in any column, and orders texts and bytes behind all numbers. A task whose row has such a time
#: or an id that no cursor can hold is shown in no list. It is counted, because this condition would make counting take
#: twice as long. The plus signs keep SQLite from choosing an index by it.
IS_SOUND = (
    "+listed.submitted_at_s <= 1e300 AND +listed.ended_at_s <= 1e300 "
    "AND typeof(listed.task_id) = 'text' AND length(listed.task_id) = 32 AND listed.task_id NOT GLOB '*[^0-9a-f]*'"
)

#: SQL with marks, and the values for them.
Condition = tuple[str, tuple[object, ...]]

_encoder = msgspec.msgpack.Encoder()


class Source(msgspec.Struct, frozen=True):
    """An index with the tasks of a filter, ordered by state and then by submission.

    index: "" to find the tasks by their ids, in no order. equal: the conditions that the index answers before it comes
    to the state. rest: the conditions that are checked at each of its entries.
    """

    index: str
    table: str
    equal: tuple[Condition, ...]
    rest: tuple[Condition, ...]

    def query(self, columns: str, more: str, *more_values: object) -> tuple[str, tuple[object, ...]]:
        """SQL and its values. more: what follows these conditions."""
        conditions = [*self.equal, *self.rest]
        indexed = f"INDEXED BY {self.index}" if self.index else ""
        texts = " ".join(f"{text} AND" for text, _ in conditions)
        values = [value for _, values in conditions for value in values]
        return (
            f"SELECT {columns} FROM {self.table} AS listed {indexed} WHERE {texts} {more}",
            (*values, *more_values),
        )


class TaskLists:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
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
        source = _source(wanted)
        searched = self._searched(wanted, order) if wanted.search else None
        counts: dict[TaskState, int] = {}
        streams: list[Iterable[Place]] = []
        for state in TaskState:
            is_shown = request.most > 0 and (state in wanted.states or not wanted.states)
            few = searched[state] if searched is not None else None
            if is_shown and not wanted.search:
                few = self._few(source, state, order)
            counts[state] = len(few) if few is not None else self._count(source, state)
            if is_shown and counts[state]:
                stream = self._stream(source, state, request, after) if few is None else _beyond(after, few, order)
                streams.append(stream)
        # Each stream has one more than the page, so this many of all of them are in the right order.
        merged = heapq.merge(*streams, reverse=order.startswith("-"))
        places = list(itertools.islice(merged, request.most + 1))
        tasks, used = self._tasks(places[: request.most])
        rest = cursor_after(places[used - 1], wanted, order) if 0 < used < len(places) else ""
        return TaskPage(request.request_id, newest_seq(self._db), tuple(tasks), rest, counts)

    def in_use(self, request: InUseWanted) -> TaskPage:
        """The tasks whose models came into use in a project, the last one first."""
        rows = self._db.execute(
            "SELECT 0.0, submitted_at_s, task_id FROM tasks AS listed INDEXED BY tasks_in_use "
            f"WHERE user_id = ? AND project_id = ? AND in_use_since_s > 0 AND {IS_SOUND} "
            "ORDER BY in_use_since_s DESC, task_id DESC LIMIT ?",
            (request.user_id, request.project_id, request.most),
        )
        tasks, _ = self._tasks([Place(*row) for row in rows])
        return TaskPage(request.request_id, newest_seq(self._db), tuple(tasks), "", {})

    def _count(self, source: Source, state: TaskState) -> int:
        row = self._db.execute(*source.query("count(*)", "state = ?", state.value)).fetchone()
        return int(row[0])

    def _searched(self, wanted: TaskFilter, order: TaskOrder) -> dict[TaskState, list[Place]] | None:
        """All tasks that a search finds, by state and in any order. None if one of its indexes has too many of them.

        Each of the three columns that are searched begins an index, so what begins with a text lies together there.
        """
        ids: set[str] = set()
        for column, index in SEARCHED.items():
            found = self._db.execute(
                f"SELECT task_id FROM tasks {index} WHERE {column} >= ? AND {column} < ? LIMIT ?",
                (wanted.search, _beyond_prefix(wanted.search), FEW_TASKS + 1),
            ).fetchall()
            if len(found) > FEW_TASKS:
                return None
            ids.update(task_id for (task_id,) in found if isinstance(task_id, str))
        places: dict[TaskState, list[Place]] = {state: [] for state in TaskState}
        among = ("listed.task_id IN (SELECT value FROM json_each(?))", (msgspec.json.encode(sorted(ids)).decode(),))
        source = Source("", "tasks", (among,), _all_conditions(wanted))
        for state, *row in self._db.execute(*source.query(f"state, {COLUMNS}", IS_SOUND)):
            if state in places:
                places[TaskState(state)].append(_place(row, TaskState(state), order))
        return places

    def _few(self, source: Source, state: TaskState, order: TaskOrder) -> list[Place] | None:
        """All tasks in this state, in any order. None if they are more than FEW_TASKS.

        For a filter that few tasks meet, this one look through the index gives both their number and the page.
        """
        query = source.query(COLUMNS, f"state = ? AND {IS_SOUND} LIMIT ?", state.value, FEW_TASKS + 1)
        found = [_place(row, state, order) for row in self._db.execute(*query)]
        return found if len(found) <= FEW_TASKS else None

    def _stream(self, source: Source, state: TaskState, request: TasksWanted, after: Place | None) -> Iterator[Place]:
        """The next of the many tasks in this state, in the order of the list."""
        by_end = request.order.endswith("endedAt") and state in ENDED_STATES
        names = COLUMNS.split(", ")[0 if by_end else 1 :]
        direction, beyond = ("DESC", "<") if request.order.startswith("-") else ("ASC", ">")
        more, values = f"state = ? AND {IS_SOUND}", [state.value]
        if after is not None and (by_end or state in ENDED_STATES or after.ended_at_s in (0.0, math.inf)):
            more += f" AND ({', '.join(names)}) {beyond} ({', '.join('?' * len(names))})"
            values += after[-len(names) :]  # type: ignore[arg-type]
        elif after is not None and direction == "DESC":
            return  # Tasks that have not ended come first, and all of them have been shown.
        ordered = ", ".join(f"{name} {direction}" for name in names)
        query = (_by_end(request.wanted) if by_end else source).query(
            COLUMNS, f"{more} ORDER BY {ordered} LIMIT ?", *values, request.most + 1
        )
        for row in self._db.execute(*query):
            yield _place(row, state, request.order)

    def _tasks(self, places: list[Place]) -> tuple[list[Task], int]:
        """The tasks of a page, as many as fit into a message, and how many places that were."""
        tasks: list[Task] = []
        size_bytes = 0
        for number, place in enumerate(places):
            task = self._task(place.task_id)
            if task is None:
                continue
            size_bytes += len(_encoder.encode(task))
            if tasks and size_bytes > PART_BYTES:
                return tasks, number
            tasks.append(task)
        return tasks, len(places)

    def _task(self, task_id: str) -> Task | None:
        for _, text in self._db.execute(f"{SELECT_TASKS} WHERE task_id = ?", (task_id,)):
            try:
                return listed(task_of(text))
            except msgspec.DecodeError as error:
                self._name_left_out(task_id, error)
        return None

    def _name_left_out(self, task_id: str, error: Exception) -> None:
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


def _place(row: Sequence[Any], state: TaskState, order: TaskOrder) -> Place:
    if not order.endswith("endedAt"):
        return Place(0.0, row[1], row[2])
    return Place(row[0] if state in ENDED_STATES else math.inf, row[1], row[2])


def _beyond(after: Place | None, places: list[Place], order: TaskOrder) -> list[Place]:
    """The places that the list still has to show, in its order."""
    descending = order.startswith("-")
    left = (p for p in places if after is None or (p < after if descending else p > after))
    return sorted(left, reverse=descending)


def _source(wanted: TaskFilter) -> Source:
    """The index that leaves the fewest entries to check."""
    conditions = _conditions(wanted)
    metadata = sorted(wanted.metadata.items())
    table = "tasks"
    equal: list[Condition] = []
    if wanted.retry_of:
        # The index is one of retries alone, which the first condition says.
        index, equal = "tasks_by_retry", [("listed.retry_of != '' AND listed.retry_of = ?", (wanted.retry_of,))]
    elif metadata:
        table, index = "task_metadata", "metadata_by_value"
        equal = [("listed.name = ? AND listed.value = ?", metadata.pop(0))]
    elif wanted.user_id:
        index, equal = "tasks_by_user", [conditions.pop(0)]
    elif wanted.project_id:
        index, equal = "tasks_by_project", [conditions.pop(0)]
    else:
        index = "tasks_by_time"
    return Source(index, table, tuple(equal), (*conditions, *map(_has, metadata)))


def _by_end(wanted: TaskFilter) -> Source:
    """The index of ended tasks in the order of their end. For many tasks, checking them is cheaper than sorting."""
    return Source("tasks_by_end", "tasks", (), _all_conditions(wanted))


def _all_conditions(wanted: TaskFilter) -> tuple[Condition, ...]:
    """All conditions but that of the state, for an index that answers none of them by itself."""
    conditions = [*_conditions(wanted), *map(_has, sorted(wanted.metadata.items()))]
    if wanted.retry_of:
        conditions.append(("listed.retry_of = ?", (wanted.retry_of,)))
    return tuple(conditions)


def _conditions(wanted: TaskFilter) -> list[Condition]:
    """The conditions on columns that every index has: first the one on the user, then the one on the project."""
    conditions: list[Condition] = []
    for text, value in (
        ("listed.user_id = ?", wanted.user_id),
        ("listed.project_id = ?", wanted.project_id),
        ("listed.train_type = ?", wanted.train_type),
        ("listed.submitted_at_s > ?", wanted.submitted_after_s),
        ("listed.submitted_at_s < ?", wanted.submitted_before_s),
    ):
        if value not in ("", None):
            conditions.append((text, (value,)))
    if wanted.search:
        bounds = (wanted.search, _beyond_prefix(wanted.search))
        columns = ("listed.task_id", "listed.user_id", "listed.project_id")
        # A comparison takes half as long as LIKE or substr, for which SQLite would copy each text.
        anyone = " OR ".join(f"({column} >= ? AND {column} < ?)" for column in columns)
        conditions.append((f"({anyone})", bounds * len(columns)))
    return conditions


def _beyond_prefix(prefix: str) -> str | bytes:
    """What comes directly after all texts that begin with this one, as SQLite orders them: by their code points."""
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return b""  # All bytes come after all texts.
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if following == 0xD800 else following)


def _has(metadata: tuple[str, str]) -> Condition:
    """The condition that a task has this name with this value, which the index of the list does not tell."""
    text = "EXISTS (SELECT 1 FROM task_metadata AS m WHERE m.task_id = listed.task_id AND m.name = ? AND m.value = ?)"
    return text, metadata
