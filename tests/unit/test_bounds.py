"""Fields are bounded by their types, and what senders cannot foresee is shortened, never lost."""

from __future__ import annotations

import math
from typing import Any, get_args

import msgpack
import msgspec
import pytest

from protocol import bounds, wire
from protocol import messages as m
from protocol import pipe_messages as piped
from protocol.errors import Failure, FailureClass
from protocol.task import AttemptEnd, Task, TaskSpec, Trained
from tests.sample_tasks import hex_id, make_spec

MESSAGES = [m.WebToBroker, m.BrokerToWeb, m.WorkerToBroker, m.BrokerToWorker, m.Collected, m.Published]
MESSAGES += [piped.AgentToTrainer, piped.TrainerToAgent, Task, m.Holding]


def structs_of(types: list[Any]) -> set[Any]:
    """All structs that can lie in these types."""
    found: set[Any] = set()
    pending = list(types)
    while pending:
        kind = pending.pop()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind not in found:
            found.add(kind)
            pending += [field.type for field in msgspec.structs.fields(kind)]
        pending += [part for part in get_args(kind) if not isinstance(part, msgspec.Meta)]
    return found


def unbounded(info: Any) -> bool:
    """Whether a value of this type could be of any size, or be no number at all."""
    inspect = msgspec.inspect
    match info:
        case inspect.Metadata():
            return unbounded(info.type)
        case inspect.StrType() | inspect.BytesType():
            return info.max_length is None
        case inspect.DictType():
            return info.max_length is None or unbounded(info.key_type) or unbounded(info.value_type)
        case inspect.ListType() | inspect.VarTupleType():
            return info.max_length is None or unbounded(info.item_type)
        case inspect.FloatType() | inspect.IntType():
            return (info.ge is None and info.gt is None) or info.le is None
        case inspect.UnionType():
            return any(unbounded(part) for part in info.types)
    return False


@pytest.mark.parametrize("struct", sorted(structs_of(MESSAGES), key=repr))
def test_no_field_of_a_message_is_unbounded(struct: Any) -> None:
    fields = msgspec.structs.fields(struct)
    assert [field.name for field in fields if unbounded(msgspec.inspect.type_info(field.type))] == []


@pytest.mark.door(12)
@pytest.mark.parametrize(
    "task_id", ["", "t1", "../" + "a" * 29, "A" * 32, "g" * 32, "a" * 31, "a" * 33, "a" * 32 + "\n", "\u0661" * 32]
)
def test_a_task_id_is_32_hexadecimal_digits(task_id: str) -> None:
    assert not bounds.is_task_id(task_id)
    with pytest.raises(ValueError, match="can't name a folder"):
        bounds.refuse_other_than_task_id(task_id)
    for message in (m.Lookup(1, task_id), m.Submit(1, make_spec(task_id))):
        with pytest.raises(wire.WireError, match=r"task_id"):
            wire.decode(wire.encode(message), m.WebToBroker)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, -1.0, 100.1])
def test_numbers_are_finite_and_percents_are_percents(number: float) -> None:
    for message, union in (
        (m.KeyedProgress("k", m.Progress(hex_id(), 1, number)), m.Collected),
        (m.Result(hex_id(), 1, progress=number), m.WorkerToBroker),
    ):
        with pytest.raises(wire.WireError, match="progress"):
            wire.decode(wire.encode(message), union)


def test_attempts_count_from_one() -> None:
    with pytest.raises(wire.WireError, match="attempt"):
        wire.decode(wire.encode(m.Result(hex_id(), 0, cancelled=True)), m.WorkerToBroker)


def test_a_long_error_arrives_shortened() -> None:
    failure = Failure("trainer_error", FailureClass.TRAINER, "begin " + "x" * 100_000 + " end", "trace " * 100_000)
    arrived = wire.decode(wire.encode(m.Result(hex_id(), 1, failure=failure)), m.WorkerToBroker).failure
    assert len(arrived.error) == bounds.MAX_ERROR_CHARS
    assert arrived.error.startswith("begin x")
    assert arrived.error.endswith("x end")
    assert "100010 characters" in arrived.error
    end = AttemptEnd(1, "w1", "trainer_error", failure.error, 1.0)
    assert len(end.error) == bounds.MAX_ATTEMPT_ERROR_CHARS
    task = msgspec.structs.replace(Task(make_spec(hex_id())), failure=failure, ended_attempts=(end,))
    assert wire.decode(wire.encode(m.TaskReply(1, 1, task)), m.BrokerToWeb).task == task


def test_an_error_that_its_sender_did_not_shorten_is_refused() -> None:
    fields = msgspec.to_builtins(m.Result(hex_id(), 1, failure=Failure("no_images", FailureClass.DATA, "")))
    fields["failure"]["error"] = "x" * (bounds.MAX_ERROR_CHARS + 1)
    with pytest.raises(wire.WireError, match="error"):
        wire.unpack(msgpack.packb(fields), m.WorkerToBroker)


def test_too_many_metrics_arrive_as_many_as_fit() -> None:
    metrics = {f"name{number}": float(number) for number in range(1000)} | {"x" * 1000: 1.0, "bad": math.nan}
    trained = Trained("/p/model.tflite", metrics)
    assert len(trained.metrics) == bounds.MAX_NUMBERS
    assert wire.decode(wire.encode(m.Result(hex_id(), 1, trained=trained)), m.WorkerToBroker).trained == trained


def largest(kind: type[Any], **more: Any) -> dict[str, Any]:
    """The fields of a struct with every text as long as it may be, of the longest characters."""
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        info = msgspec.inspect.type_info(field.type)
        if isinstance(info, msgspec.inspect.StrType):
            fields[field.encode_name] = "\U0001f600" * (info.max_length or 0)
        elif isinstance(info, msgspec.inspect.DictType):
            fields[field.encode_name] = {f"{n:04}" + "\U0001f600" * 60: 1e300 for n in range(info.max_length or 0)}
    return {**fields, **more}


def test_the_largest_message_of_each_direction_fits_into_its_sockets_bound() -> None:
    option = {f"{n:04}" + "\U0001f600" * 60: ["\U0001f600" * 64] * 16 for n in range(32)}
    submit = len(msgpack.packb(largest(TaskSpec, options=option)))
    result = len(msgpack.packb([largest(Trained), largest(Failure)]))
    progress = len(msgpack.packb([largest(m.KeyedProgress), largest(m.Progress)]))
    assert submit < bounds.MAX_REQUEST_BYTES
    assert result < bounds.MAX_WORKER_BYTES
    assert progress < bounds.MAX_PROGRESS_BYTES
    ends = [largest(AttemptEnd)] * bounds.MAX_ENDED_ATTEMPTS
    task = len(msgpack.packb([largest(TaskSpec, options=option), largest(Trained), largest(Failure), ends]))
    assert task < bounds.PART_BYTES
    assert 2 * bounds.PART_BYTES < bounds.MAX_PAYLOAD_BYTES
