"""The SQL of lists of tasks, for PostgreSQL. Pure.

Each list is read from an index that has all columns that are filtered by (see migrations.py). PostgreSQL chooses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import LiteralString

from broker.journal_view import Stretch
from broker.postgres_journal.keys import KEPT_BYTES, beyond, key_of
from protocol.task import TaskState
from protocol.task_filter import TaskFilter

#: SQL with marks, and the values for them.
Query = tuple[LiteralString, list[object]]
#: A part of such a query.
Condition = tuple[LiteralString, list[object]]

PLACE: LiteralString = "ended_at_s, submitted_at_s, task_id"
_part_of_task_id = re.compile(r"[0-9a-f]{1,32}")


def counting(wanted: TaskFilter, state: TaskState) -> Query:
    return _query("count(*)", wanted, [_in_state(state)])


def in_any_order(wanted: TaskFilter, state: TaskState, most: int) -> Query:
    text, values = _query(PLACE, wanted, [_in_state(state)])
    return text + " LIMIT %s", [*values, most]


def in_order(wanted: TaskFilter, state: TaskState, stretch: Stretch) -> Query:
    conditions = [_in_state(state)]
    names: LiteralString = PLACE if stretch.by_end else "submitted_at_s, task_id"
    if stretch.after:
        marks: LiteralString = "%s, %s, %s" if stretch.by_end else "%s, %s"
        after: LiteralString = "<" if stretch.descending else ">"
        conditions.append((f"({names}) {after} ({marks})", [*stretch.after]))
    text, values = _query(PLACE, wanted, conditions, may_be_metadata=not stretch.by_end)
    direction: LiteralString = " DESC" if stretch.descending else ""
    ordered = ", ".join(f"{name}{direction}" for name in names.split(", "))
    return f"{text} ORDER BY {ordered} LIMIT %s", [*values, stretch.most]


def searching(search: str, most: int) -> Iterator[Query]:
    """A query for the ids of tasks in each of the columns that are searched, as far as they can have such a text."""
    for text, values in _search_conditions(search):
        yield f"SELECT task_id FROM tasks AS listed WHERE {text} LIMIT %s", [*values, most]


def among(wanted: TaskFilter, task_ids: Sequence[str]) -> Query:
    """A query for those of these tasks that meet the filter, with their states."""
    listed: Condition = ("task_id = ANY(%s)", [list(task_ids)])
    return _query(f"state, {PLACE}", wanted, [listed], may_be_metadata=False)


def in_use(user_id: str, project_id: str, most: int) -> Query:
    return (
        "SELECT 0.0::float8, submitted_at_s, task_id FROM tasks "
        "WHERE user_key = %s AND project_key = %s AND in_use_since_s > 0 "
        "ORDER BY in_use_since_s DESC, task_id DESC LIMIT %s",
        [key_of(user_id), key_of(project_id), most],
    )


def _in_state(state: TaskState) -> Condition:
    return "state = %s", [state.value]


def _query(columns: LiteralString, wanted: TaskFilter, more: list[Condition], may_be_metadata: bool = True) -> Query:
    """A query for tasks. may_be_metadata: whether it may read their metadata instead of the tasks."""
    conditions = [*_conditions(wanted), *more]
    metadata = sorted(wanted.metadata.items())
    table: LiteralString = "tasks"
    if wanted.retry_of:
        conditions.append(("retry_of <> '' AND retry_of = %s", [wanted.retry_of]))
    elif metadata and may_be_metadata:
        table = "task_metadata"
        name, value = metadata.pop(0)
        conditions.append(("name = %s AND value_key = %s", [name, key_of(value)]))
    conditions += [_has(name, value) for name, value in metadata]
    where = " AND ".join(text for text, _ in conditions)
    return f"SELECT {columns} FROM {table} AS listed WHERE {where}", [v for _, values in conditions for v in values]


def _conditions(wanted: TaskFilter) -> list[Condition]:
    """The conditions on columns that every index has."""
    conditions: list[Condition] = []
    if wanted.user_id:
        conditions.append(("user_key = %s", [key_of(wanted.user_id)]))
    if wanted.project_id:
        conditions.append(("project_key = %s", [key_of(wanted.project_id)]))
    if wanted.train_type:
        conditions.append(("train_key = %s", [key_of(wanted.train_type)]))
    if wanted.submitted_after_s is not None:
        conditions.append(("submitted_at_s > %s", [wanted.submitted_after_s]))
    if wanted.submitted_before_s is not None:
        conditions.append(("submitted_at_s < %s", [wanted.submitted_before_s]))
    if wanted.search:
        parts = list(_search_conditions(wanted.search))
        anyone = " OR ".join(f"({text})" for text, _ in parts)
        conditions.append((f"({anyone})", [value for _, values in parts for value in values]))
    return conditions


def _search_conditions(search: str) -> Iterator[Condition]:
    """A condition for each column that is searched, except one that cannot have such a text."""
    if _part_of_task_id.fullmatch(search):
        yield "task_id >= %s AND task_id < %s", [search, search[:-1] + chr(ord(search[-1]) + 1)]
    data = search.encode()
    start = data[:KEPT_BYTES]
    names: tuple[tuple[LiteralString, LiteralString], ...] = (("user_key", "user_id"), ("project_key", "project_id"))
    for key, column in names:
        text: LiteralString = f"{key} >= %s AND {key} < %s"
        values: list[object] = [start, beyond(start)]
        if len(data) > KEPT_BYTES:
            # The key says only how the text begins.
            text += f" AND {column} >= %s AND {column} < %s"
            values += [data, beyond(data)]
        yield text, values


def _has(name: str, value: str) -> Condition:
    """The condition that a task has this metadata, which the index of the list does not tell."""
    return (
        "EXISTS (SELECT FROM task_metadata AS m WHERE m.task_id = listed.task_id AND m.name = %s AND m.value_key = %s)",
        [name, key_of(value)],
    )
