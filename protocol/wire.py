"""Encode and decode messages. A message is two frames, `[version, payload]`, and the payload is msgpack.

msgspec's decoder checks types and values while it reads a payload. See docs/choices.md, "What makes a POST cheap".
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import msgpack
import msgspec

from protocol.bounds import MAX_PAYLOAD_BYTES as MAX_PAYLOAD_BYTES
from protocol.bounds import Whole
from protocol.message import Message

#: The number is raised with each change that the previous version cannot read. Other versions are refused.
VERSION = b"TFM4"


class WireError(Exception):
    """The frames are not a message of the expected union: another version, no msgpack, or wrong fields."""


def pack(message: Message) -> bytes:
    """Return the payload without a version frame, for the pipe between agent and trainer process."""
    return bytes(msgpack.packb(msgspec.to_builtins(message)))


def unpack(payload: bytes, union: Any) -> Any:
    """Return the message in `payload`. Raises WireError if it is not a message of `union`."""
    try:
        return _decoder(union).decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise WireError(f"bad payload of {len(payload)} bytes: {error}") from error


def encode(message: Message) -> list[bytes]:
    """Return the two frames of the message."""
    return [VERSION, pack(message)]


def decode(frames: Sequence[bytes], union: Any) -> Any:
    """Return the message in `frames`, which lack the routing identity. Raises WireError if it is not one of `union`."""
    if len(frames) != 2:
        raise WireError(f"{len(frames)} frames instead of 2")
    version, payload = frames
    if version != VERSION:
        raise WireError(f"version {bytes(version[:16])!r} instead of {VERSION!r}; run the same release everywhere")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise WireError(f"payload of {len(payload)} bytes; at most {MAX_PAYLOAD_BYTES} are allowed")
    return unpack(payload, union)


def request_id_of(frames: Sequence[bytes]) -> int | None:
    """Return the number of a request whose other fields cannot be read. None if the number cannot be read either."""
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
