"""Encode and decode messages. A message is two frames, `[version, payload]`, and the payload is msgpack.

Two things never change, whatever the version: these two frames, and the payloads of `Rejected` and `Refused`. So a
program can tell a peer of another release why it does not take its messages. PROTOCOL.md, "Versions", has the details.

msgspec's decoder checks types and values while it reads a payload. See docs/choices.md, "What makes a POST cheap".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

import msgpack
import msgspec

from protocol.bounds import MAX_PAYLOAD_BYTES as MAX_PAYLOAD_BYTES
from protocol.bounds import Whole
from protocol.message import Message

#: The number is raised with each change that the previous version cannot read. Other versions are refused.
VERSION = b"TFM4"
#: The form of the first frame in every version.
ANY_VERSION = re.compile(rb"TFM[1-9][0-9]{0,3}")


class WireError(Exception):
    """The frames are not a message of the expected union: another version, no msgpack, or wrong fields."""


class OtherVersionError(WireError):
    """The frames are a message of another version. version: the first frame, with which the answer must begin."""

    def __init__(self, version: bytes) -> None:
        super().__init__(f"version {version.decode()} instead of {VERSION.decode()}; run the same release everywhere")
        self.version = version


def pack(message: Message) -> bytes:
    """Return the payload without a version frame, for the pipe between agent and trainer process."""
    return bytes(msgpack.packb(msgspec.to_builtins(message)))


def unpack(payload: bytes, union: Any) -> Any:
    """Return the message in `payload`. Raises WireError if it is not a message of `union`."""
    try:
        return _decoder(union).decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise WireError(f"bad payload of {len(payload)} bytes: {error}") from error


def encode(message: Message, version: bytes = VERSION) -> list[bytes]:
    """Return the two frames of the message. version: that of a peer which is told why it is refused."""
    return [version, pack(message)]


def decode(frames: Sequence[bytes], union: Any) -> Any:
    """Return the message in `frames`, which lack the routing identity. Raises WireError if it is not one of `union`."""
    if len(frames) != 2:
        raise WireError(f"{len(frames)} frames instead of 2")
    version, payload = frames
    if version != VERSION:
        if ANY_VERSION.fullmatch(version):
            raise OtherVersionError(bytes(version))
        raise WireError(f"{bytes(version[:16])!r} instead of the version {VERSION!r}")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise WireError(f"payload of {len(payload)} bytes; at most {MAX_PAYLOAD_BYTES} are allowed")
    return unpack(payload, union)


def request_id_of(frames: Sequence[bytes]) -> int | None:
    """Return the number of a request whose other fields cannot be read. None if the number cannot be read either."""
    try:
        numbered = unpack(frames[1], _Numbered) if len(frames) == 2 and ANY_VERSION.fullmatch(frames[0]) else None
    except WireError:
        return None
    return numbered.request_id if numbered is not None else None


class _Numbered(msgspec.Struct):
    request_id: Whole


@functools.cache
def _decoder(union: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(union)
