"""Seals the JSON of a journal's rows with a checksum, so that a flipped bit is found when the row is read.

A disk, a cable or memory may flip a bit, and the text may still be valid JSON afterwards. Pages of SQLite have no
checksum, and those of PostgreSQL only if its administrator has asked for them.

    {"crc":"0b1fa6e2","fact":"Leased", …}

The checksum is that of the JSON without it, and of the columns that stand beside it.
"""

from __future__ import annotations

import zlib

import msgspec

_HEAD = b'{"crc":"%08x",'
#: The number of bytes before the first member of the sealed object.
SEAL_BYTES = len(_HEAD % 0)


def sealed(text: bytes, beside: str) -> bytes:
    """Seal a row. text: a JSON object with at least one member. beside: the columns that belong to it."""
    return _HEAD % _checksum(text, beside) + text[1:]


def unsealed(text: bytes | str, beside: str) -> bytes:
    """The JSON without its checksum. Raises msgspec.ValidationError if the checksum does not fit."""
    content = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    opened = b"{" + content[SEAL_BYTES:]
    if content[:SEAL_BYTES] != _HEAD % _checksum(opened, beside):
        raise msgspec.ValidationError("its checksum does not fit, so a bit has flipped or somebody has changed it")
    return opened


def _checksum(text: bytes, beside: str) -> int:
    return zlib.crc32(text, zlib.crc32(beside.encode("utf-8", "surrogateescape")))
