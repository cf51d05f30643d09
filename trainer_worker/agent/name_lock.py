"""Locks a worker's name on this machine, and gives each start of the worker an id."""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from pathlib import Path


class NameTakenError(Exception):
    """Another process holds the name."""


def take_name(folder: Path, name: str) -> str:
    """Hold `name` until this process ends and return the start_id. Raises NameTakenError if another process holds it.

    Start ids of one name on one machine sort in the order of the starts, even if the clock was set back. The broker
    can therefore recognise a late message of a predecessor that has died. The random part is needed because whoever
    knows a worker's start_id can speak for it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(folder / f"worker-{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise NameTakenError(name) from error
    before = os.pread(fd, 100, 0)
    number = max(time.time_ns() // 1_000_000, int(before) + 1 if before.isdigit() else 0)
    os.pwrite(fd, f"{number:015d}".encode(), 0)
    return f"{number:015d}-{uuid.uuid4().hex}"
