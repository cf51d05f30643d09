"""Reads a part of a task's epochs.jsonl. Pure.

The file lies in a stranger's folder, so a line counts only if it is exactly what the worker writes. The cursor is the
number of lines before the part.
"""

from __future__ import annotations

import msgspec

from protocol.epochs import EpochRecord
from web.api.files import EpochPage

_DECODER = msgspec.json.Decoder(EpochRecord)


def epochs_after(content: bytes, after: int, limit: int) -> EpochPage:
    """The epochs in up to `limit` lines that follow the first `after` ones. content: the file as it is now.

    A last line that has no end yet is still being written. If there are fewer lines than `after`, another attempt has
    begun a new file, and `next` is back at its end.
    """
    lines = content.split(b"\n")[:-1]
    wanted = lines[after : after + limit]
    epochs = [epoch for line in wanted if (epoch := _read(line)) is not None]
    return EpochPage(tuple(epochs), min(after, len(lines)) + len(wanted))


def _read(line: bytes) -> EpochRecord | None:
    try:
        return _DECODER.decode(line)
    except (ValueError, RecursionError):  # no JSON, not UTF-8, or out of bounds
        return None
