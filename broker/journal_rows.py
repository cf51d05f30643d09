"""The JSON in the rows of a journal: how facts and tasks are written and read, with the seal of journal_seal.py."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from broker.facts import Fact, Record
from broker.journal_seal import sealed, unsealed
from protocol.bounds import TaskId
from protocol.task import Task

#: A fact: its number, its time, the id of its task, and JSON.
FactRow = tuple[int, float, str, bytes | str]
#: A task: its id, and JSON.
TaskRow = tuple[str, bytes | str]

#: The first second of the year 10000, in which the times that callers see end.
_END_OF_TIME_S = 253_402_300_800
_Columns = tuple[int, Annotated[float, Meta(ge=0, lt=_END_OF_TIME_S)], TaskId]

_encoder = msgspec.json.Encoder()
_fact_decoder = msgspec.json.Decoder(Fact)
_task_decoder = msgspec.json.Decoder(Task)


def fact_json(record: Record) -> str:
    return sealed(_encoder.encode(record.fact), beside_fact(record.seq, record.at_s, record.task_id)).decode()


def task_json(task: Task) -> str:
    return sealed(_encoder.encode(task), task.task_id).decode()


def beside_fact(seq: int, at_s: float, task_id: str) -> str:
    """The columns that the seal of a fact covers."""
    return f"{seq} {float(at_s)!r} {task_id}"


def record_of(row: FactRow) -> Record:
    """Decode a row of facts. Raises msgspec.DecodeError if it cannot be read.

    SQLite keeps any value in any column. A time that is a text would reach all front-ends, and they would refuse it
    together with all other tasks.
    """
    seq, at_s, task_id = msgspec.convert(row[:3], _Columns)
    return Record(seq, at_s, task_id, _fact_decoder.decode(unsealed(row[3], beside_fact(seq, at_s, task_id))))


def task_of(row: TaskRow) -> Task:
    """Decode a row of tasks. Raises msgspec.DecodeError if it cannot be read."""
    task_id, text = row
    return _task_decoder.decode(unsealed(text, str(task_id)))
