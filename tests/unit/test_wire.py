"""Frames: whatever arrives is a message of the expected union or a WireError, never another exception."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import messages as m
from protocol import wire
from protocol.message import Message
from tests.sample_tasks import hex_id

UNIONS: list[Any] = [m.WebToBroker, m.BrokerToWeb, m.WorkerToBroker, m.BrokerToWorker, m.Collected, m.Published]

#: Values that msgpack can carry, nested; with the words of real messages, so that some come close to valid.
WORDS = st.sampled_from(["type", "Hello", "Progress", "Submit", "task_id", "attempt", "progress", "spec", "holds"])
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8) | WORDS
VALUES = st.recursive(
    SCALARS | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=6),
    max_leaves=20,
)


def decodes_or_refuses(frames: list[bytes], union: Any) -> None:
    try:
        message = wire.decode(frames, union)
    except wire.WireError:
        return
    assert isinstance(message, Message)


def test_a_message_comes_back_as_it_was() -> None:
    message = m.Progress(hex_id(), 2, 41.5, "training", 12.0, 3, {"loss": 0.5})
    assert wire.decode(wire.encode(message), m.Published) == message


def test_another_version_is_refused_with_both_versions_and_what_to_do() -> None:
    with pytest.raises(wire.WireError, match=r"TFM9.*TFM4.*same release"):
        wire.decode([b"TFM9", wire.pack(m.Goodbye())], m.WorkerToBroker)


def test_a_message_of_another_direction_is_refused() -> None:
    with pytest.raises(wire.WireError):
        wire.decode(wire.encode(m.Goodbye()), m.WebToBroker)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_frames_is_refused(count: int) -> None:
    with pytest.raises(wire.WireError, match=f"{count} frames"):
        wire.decode([wire.VERSION] * count, m.WorkerToBroker)


def test_a_payload_that_is_too_large_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_PAYLOAD_BYTES", 100)
    frames = wire.encode(m.Progress(hex_id(), 1, 0.0, "x" * 101))
    with pytest.raises(wire.WireError, match="at most 100"):
        wire.decode(frames, m.Published)


def test_unknown_fields_are_ignored_so_that_fields_may_be_added() -> None:
    payload = msgpack.packb({"type": "Heartbeat", "ready": True, "holds": None, "mood": "good"})
    assert wire.decode([wire.VERSION, payload], m.WorkerToBroker) == m.Heartbeat(True, None)


def test_a_missing_field_and_a_wrong_type_are_refused() -> None:
    for fields in ({"type": "Heartbeat"}, {"type": "Heartbeat", "ready": "yes", "holds": None}, {"ready": True}):
        with pytest.raises(wire.WireError):
            wire.unpack(msgpack.packb(fields), m.WorkerToBroker)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(wire.WireError):
        wire.unpack(b"\x91" * 100_000, m.WorkerToBroker)


@pytest.mark.parametrize("union", UNIONS)
@settings(max_examples=40)
@given(payload=st.binary(max_size=200))
def test_garbage_bytes_are_refused(union: Any, payload: bytes) -> None:
    decodes_or_refuses([wire.VERSION, payload], union)


@pytest.mark.parametrize("union", UNIONS)
@settings(max_examples=40)
@given(value=VALUES)
def test_well_packed_nonsense_is_refused(union: Any, value: Any) -> None:
    decodes_or_refuses([wire.VERSION, msgpack.packb(value)], union)


@given(cut=st.integers(0, 60), flip=st.integers(0, 60), bit=st.integers(0, 7))
def test_a_damaged_message_is_refused_or_still_a_message(cut: int, flip: int, bit: int) -> None:
    payload = bytearray(wire.pack(m.Hello("w1", "s1", "host", ("classification",), True, m.Holding(hex_id(), 1))))
    payload[flip % len(payload)] ^= 1 << bit
    decodes_or_refuses([wire.VERSION, bytes(payload[: len(payload) - cut])], m.WorkerToBroker)
