"""The rows of the journal's tables, and what they hold."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from broker.facts import Fact, Record
from protocol.bounds import TaskId
from protocol.task import Task

# JSON is read as bytes, because SQLite's driver would raise an error of its own for text that is not UTF-8.
SELECT_FACTS = "SELECT seq, at_s, task_id, CAST(fact AS BLOB) FROM facts"
SELECT_TASKS = "SELECT task_id, CAST(task AS BLOB) FROM tasks"

REPLACE_TASK = "INSERT OR REPLACE INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
REPLACE_METADATA = "INSERT OR REPLACE INTO task_metadata VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"

FactRow = tuple[int, float, str, bytes]

#: The first second of the year 10000, in which the times that callers see end.
_END_OF_TIME_S = 253_402_300_800
_Columns = tuple[int, Annotated[float, Meta(ge=0, lt=_END_OF_TIME_S)], TaskId]

_encoder = msgspec.json.Encoder()
_fact_decoder = msgspec.json.Decoder(Fact)
_task_decoder = msgspec.json.Decoder(Task)


def fact_row(record: Record) -> tuple[int, float, str, str]:
    return record.seq, record.at_s, record.task_id, _encoder.encode(record.fact).decode()


def record_of(row: FactRow) -> Record:
    """Raises msgspec.DecodeError if the fact cannot be read.

    SQLite keeps any value in any column. A time that is a text would reach all front-ends, and they would refuse it
    together with all other tasks.
    """
    seq, at_s, task_id = msgspec.convert(row[:3], _Columns)
    return Record(seq, at_s, task_id, _fact_decoder.decode(row[3]))


def task_row(task: Task) -> tuple[object, ...]:
    """The columns of `tasks`. All but its record serve to find the task."""
    spec = task.spec
    return (
        spec.task_id,
        spec.user_id,
        spec.project_id,
        task.state.value,
        spec.request_key,
        task.submitted_at_s,
        task.ended_at_s,
        _encoder.encode(task).decode(),
        spec.train_type,
        spec.retry_of,
        task.in_use_since_s,
    )


def metadata_rows(task: Task) -> list[tuple[object, ...]]:
    """The rows of `task_metadata`, which repeat what lists are filtered and ordered by."""
    spec = task.spec
    times = (task.submitted_at_s, task.ended_at_s)
    return [
        (spec.task_id, name, value, spec.user_id, spec.project_id, task.state.value, *times, spec.train_type)
        for name, value in spec.metadata.items()
    ]


def task_of(text: bytes) -> Task:
    """Raises msgspec.DecodeError if the task cannot be read."""
    return _task_decoder.decode(text)
