"""Looks for damage in the write-ahead log that a broker has left beside its journal.

SQLite reads the log up to the first frame whose checksum is wrong, and silently drops the rest. That is right after a
power cut, which can tear only the last transaction, because each one is synced before the next one begins. A bit that
flips further ahead would cost all later transactions, although their tasks were acknowledged.
https://www.sqlite.org/fileformat2.html#the_write_ahead_log has the format.
"""

from __future__ import annotations

import logging
import struct
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger("broker")

_HEADER = struct.Struct(">IIIIIIII")
_FRAME = struct.Struct(">IIIIII")
#: The last bit of the number says whether the checksums read their words in big-endian order.
_MAGIC = (0x377F0682, 0x377F0683)
_MASK = 0xFFFFFFFF

Sums = tuple[int, int]


class WalEnd(NamedTuple):
    """Where the frames end that can be used. later_commits: transactions behind it that had been written as well."""

    good_frames: int
    later_commits: int


class DamagedWalError(Exception):
    """The text continues the name of the file."""


def look_for_damage(journal: Path, is_of_this_run: bool) -> None:
    """Raise DamagedWalError if SQLite would silently drop transactions that had been acknowledged.

    Call it before SQLite opens the journal, while no other process writes to it. is_of_this_run: whether the machine
    has run all the time since the log was written. Then no power cut can have torn it.
    """
    path = journal.with_name(journal.name + "-wal")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    end = end_of(content)
    if end.later_commits > (0 if is_of_this_run else 1):
        raise DamagedWalError(
            f"is damaged behind frame {end.good_frames}, and {end.later_commits} transactions would be lost"
        )
    if end.later_commits:
        log.warning(
            "action=journal.tail_dropped file=%r frames=%d reason='the last transaction is incomplete, as after a "
            "power cut'",
            str(path),
            end.good_frames,
        )


def end_of(content: bytes) -> WalEnd:
    """Find the end of the usable frames. Raises DamagedWalError if the header is not one that SQLite has written."""
    if len(content) <= _HEADER.size or not any(content[: _HEADER.size]):
        return WalEnd(0, 0)
    magic, _, page_bytes, _, *salts, one, other = _HEADER.unpack_from(content)
    words = struct.Struct(">II" if magic & 1 else "<II")
    if magic not in _MAGIC or _summed(words, content[:24], (0, 0)) != (one, other) or not page_bytes:
        raise DamagedWalError("has a damaged header, and all transactions in it would be lost")
    sums, good_frames = (one, other), 0
    size = _FRAME.size + page_bytes
    places = range(_HEADER.size, len(content) - size + 1, size)
    for at in places:
        _, _, salt, other_salt, one, other = _FRAME.unpack_from(content, at)
        sums = _summed(words, content[at : at + 8], sums)
        sums = _summed(words, content[at + _FRAME.size : at + size], sums)
        if [salt, other_salt] != salts or sums != (one, other):
            break
        good_frames += 1
    return WalEnd(good_frames, _commits(content, places[good_frames:], salts))


def _commits(content: bytes, places: range, salts: list[int]) -> int:
    """How many transactions were begun in frames of this run of the log. Frames of an earlier run have other salts."""
    commits, is_open = 0, False
    for at in places:
        _, pages, *found, _, _ = _FRAME.unpack_from(content, at)
        if found != salts:
            continue
        commits += not is_open
        is_open = pages == 0
    return commits


def _summed(words: struct.Struct, content: bytes, sums: Sums) -> Sums:
    one, other = sums
    for first, second in words.iter_unpack(content):
        one = (one + first + other) & _MASK
        other = (other + second + one) & _MASK
    return one, other
