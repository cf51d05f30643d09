"""How much space is free at a folder."""

from __future__ import annotations

import math
import os
from pathlib import Path


def free_space_mb(folder: str | Path) -> float:
    """Return how many MB an unprivileged process can still write there; infinity if that cannot be found out."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return math.inf  # The folder is gone or unreadable. The code that opens it reports that.
    return status.f_bavail * status.f_frsize / 2**20
