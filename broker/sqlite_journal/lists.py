"""The SQL of lists of tasks, for SQLite. Pure.

Each list is read from an index that has all columns that are filtered by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from broker.journal_view import Stretch
from protocol.task import TaskState
from protocol.task_filter import TaskFilter

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
Query = tuple[str, tuple[object, ...]]
#: A part of such a query.
Condition = tuple[str, tuple[object, ...]]


class Source(msgspec.Struct, frozen=True):
    """An index with the tasks of a filter, ordered by state and then by submission.

    index: "" to find the tasks by their ids, in no order. equal: the conditions that the index answers before it comes
    to the state. rest: the conditions that are checked at each of its entries.
    """

    index: str
    table: str
    equal: tuple[Condition, ...]
    rest: tuple[Condition, ...]

    def query(self, columns: str, more: str, *more_values: object) -> Query:
        """SQL and its values. more: what follows these conditions."""
        conditions = [*self.equal, *self.rest]
        indexed = f"INDEXED BY {self.index}" if self.index else ""
        texts = " ".join(f"{text} AND" for text, _ in conditions)
        values = [value for _, values in conditions for value in values]
        return (
            f"SELECT {columns} FROM {self.table} AS listed {indexed} WHERE {texts} {more}",
            (*values, *more_values),
        )


def counting(wanted: TaskFilter, state: TaskState) -> Query:
    return _source(wanted).query("count(*)", "state = ?", state.value)


def in_any_order(wanted: TaskFilter, state: TaskState, most: int) -> Query:
    return _source(wanted).query(COLUMNS, f"state = ? AND {IS_SOUND} LIMIT ?", state.value, most)


def in_order(wanted: TaskFilter, state: TaskState, stretch: Stretch) -> Query:
    names = COLUMNS.split(", ")[0 if stretch.by_end else 1 :]
    direction, beyond = ("DESC", "<") if stretch.descending else ("ASC", ">")
    more = f"state = ? AND {IS_SOUND}"
    if stretch.after:
        more += f" AND ({', '.join(names)}) {beyond} ({', '.join('?' * len(names))})"
    ordered = ", ".join(f"{name} {direction}" for name in names)
    source = _by_end(wanted) if stretch.by_end else _source(wanted)
    more += f" ORDER BY {ordered} LIMIT ?"
    return source.query(COLUMNS, more, state.value, *stretch.after, stretch.most)


def searching(search: str, most: int) -> Iterator[Query]:
    """A query for the ids of tasks in each of the three columns that are searched.

    Each of them begins an index, so what begins with a text lies together there.
    """
    for column, index in SEARCHED.items():
        yield (
            f"SELECT task_id FROM tasks {index} WHERE {column} >= ? AND {column} < ? LIMIT ?",
            (search, _beyond_prefix(search), most),
        )


def among(wanted: TaskFilter, task_ids: Sequence[str]) -> Query:
    """A query for those of these tasks that meet the filter, with their states."""
    listed = ("listed.task_id IN (SELECT value FROM json_each(?))", (msgspec.json.encode(task_ids).decode(),))
    return Source("", "tasks", (listed,), _all_conditions(wanted)).query(f"state, {COLUMNS}", IS_SOUND)


def in_use(user_id: str, project_id: str, most: int) -> Query:
    return (
        "SELECT 0.0, submitted_at_s, task_id FROM tasks AS listed INDEXED BY tasks_in_use "
        f"WHERE user_id = ? AND project_id = ? AND in_use_since_s > 0 AND {IS_SOUND} "
        "ORDER BY in_use_since_s DESC, task_id DESC LIMIT ?",
        (user_id, project_id, most),
    )


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
