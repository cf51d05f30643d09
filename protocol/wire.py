"""Frames: `[version, payload]`, the payload packed with msgpack and checked against a union on arrival.

msgspec's decoder reads the frames. It checks types and values while it reads; see docs/choices.md,
"What makes a POST cheap".
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import msgpack
import msgspec

from protocol.bounds import MAX_PAYLOAD_BYTES as MAX_PAYLOAD_BYTES
from protocol.bounds import Whole
from protocol.messages import Message

#: Increased when the previous version cannot read a change. Peers of another version are refused.
VERSION = b"TFM2"


class WireError(Exception):
    """Frames that are not a message of the expected union: other version, not msgpack, wrong fields."""


def pack(message: Message) -> bytes:
    """Pack the payload alone, for channels without a version frame (the pipe)."""
    return bytes(msgpack.packb(msgspec.to_builtins(message)))


def unpack(payload: bytes, union: Any) -> Any:
    """The message in `payload`, checked against `union`; WireError with the reason otherwise."""
    try:
        return _decoder(union).decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise WireError(f"bad payload of {len(payload)} bytes: {error}") from error


def encode(message: Message) -> list[bytes]:
    """Frames to send."""
    return [VERSION, pack(message)]


def decode(frames: Sequence[bytes], union: Any) -> Any:
    """The message in `frames` (without routing identity), checked against `union`; WireError otherwise."""
    if len(frames) != 2:
        raise WireError(f"{len(frames)} frames instead of 2")
    version, payload = frames
    if version != VERSION:
        raise WireError(f"version {bytes(version[:16])!r} instead of {VERSION!r}; run the same release everywhere")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise WireError(f"payload of {len(payload)} bytes, at most {MAX_PAYLOAD_BYTES} are taken")
    return unpack(payload, union)


def request_id_of(frames: Sequence[bytes]) -> int | None:
    """The number of a request that cannot be read otherwise. None if even the number is unreadable."""
    try:
        numbered = unpack(frames[1], _Numbered) if len(frames) == 2 and frames[0] == VERSION else None
    except WireError:
        return None
    return numbered.request_id if numbered is not None else None


class _Numbered(msgspec.Struct):
    request_id: Whole


@functools.cache
def _decoder(union: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(union)
