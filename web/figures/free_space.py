"""How much space a folder's disk has."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import NamedTuple


class Space(NamedTuple):
    """free_bytes: what an unprivileged process can still write. total_bytes: the size of the disk."""

    free_bytes: int
    total_bytes: int


def space_of(folder: str | Path) -> Space | None:
    """The space of the folder's disk; None if that cannot be found out."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return None  # The folder is gone or unreadable. The code that opens it reports that.
    return Space(status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize)


def free_space_mb(folder: str | Path) -> float:
    """How many MB an unprivileged process can still write there; infinity if that cannot be found out."""
    space = space_of(folder)
    return space.free_bytes / 2**20 if space is not None else math.inf
