"""The cursors of lists of tasks: where the next page begins. Pure.

A cursor holds the place of the last task that was looked at, not a number of tasks. So tasks that are added meanwhile
make no page show a task twice or leave one out.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
from typing import NamedTuple

import msgspec

from protocol.task_filter import TaskFilter, TaskOrder

_DIGEST_BYTES = 6
_cursor = re.compile(r"([0-9a-f]{12})\.([0-9a-f]{16})\.([0-9a-f]{16})\.([0-9a-f]{32})")


class Place(NamedTuple):
    """Where a task stands in a list. Places compare as the tasks are ordered.

    ended_at_s: only in lists that are ordered by endedAt, where infinity stands for a task that has not ended; else
    0.0.
    """

    ended_at_s: float
    submitted_at_s: float
    task_id: str


def cursor_after(place: Place, wanted: TaskFilter, order: TaskOrder) -> str:
    ended, submitted = (struct.pack(">d", at_s).hex() for at_s in place[:2])
    return f"{_digest(wanted, order)}.{ended}.{submitted}.{place.task_id}"


def place_in(cursor: str, wanted: TaskFilter, order: TaskOrder) -> Place | str:
    """The place that the cursor stands for, or a sentence that says why it is not one of this list."""
    found = _cursor.fullmatch(cursor)
    if found is None:
        return "The cursor is not one that this server gave; ask for the first page without one."
    digest, ended, submitted, task_id = found.groups()
    if digest != _digest(wanted, order):
        return "The cursor belongs to a list with other filters or another sort; ask for the first page without one."
    ended_at_s, submitted_at_s = (struct.unpack(">d", bytes.fromhex(text))[0] for text in (ended, submitted))
    if math.isnan(ended_at_s) or math.isnan(submitted_at_s):
        return "The cursor is damaged; ask for the first page without one."
    return Place(ended_at_s, submitted_at_s, task_id)


def _digest(wanted: TaskFilter, order: TaskOrder) -> str:
    """Stands for the list, so that a cursor is not used for another one."""
    text = msgspec.json.encode((wanted, order), order="deterministic")
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()
