"""The part of a file that a caller asks for, and whether it has the file already (RFC 9110). Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

#: One range. A list of several is answered with the whole file, as the RFC allows.
_ONE_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE | re.ASCII)
_ETAG = re.compile(r'(?:W/)?("[^"]*")')


class Span(NamedTuple):
    """From `begin` to before `end`, in bytes."""

    begin: int
    end: int


class UnsatisfiableError(Exception):
    """The range lies behind the end of the file."""


def requested_span(header: str, size_bytes: int) -> Span | None:
    """The part that a Range header asks for; None if the whole file is to be sent, also for a header of another form.

    Raises UnsatisfiableError.
    """
    found = _ONE_RANGE.fullmatch(header)
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        last_bytes = int(found[2])
        if not last_bytes:
            raise UnsatisfiableError
        return Span(max(0, size_bytes - last_bytes), size_bytes) if size_bytes else None
    begin = int(found[1])
    if found[2] and int(found[2]) < begin:
        return None
    if begin >= size_bytes:
        raise UnsatisfiableError
    return Span(begin, min(size_bytes, int(found[2]) + 1) if found[2] else size_bytes)


def etag_of(sha256: str) -> str:
    """The strong ETag of a file that is known by its hash."""
    return f'"{sha256}"'


def is_known(if_none_match: str, etag: str) -> bool:
    """Whether a caller that sent this If-None-Match has the file with that ETag."""
    return if_none_match.strip() == "*" or etag in _ETAG.findall(if_none_match)
