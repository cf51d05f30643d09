"""Wait for processes that are not our children."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

import psutil

POLL_INTERVAL_S = 0.02


def wait_for_end(processes: Iterable[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait until all of them have ended. Returns those that still run after `timeout_s`.

    A process that has ended keeps its id until its parent asks for its exit code. Process 1 of a container may never
    ask, and psutil's own functions wait for the id to disappear.
    """
    give_up_at_s = time.monotonic() + timeout_s
    while running := [process for process in processes if is_running(process)]:
        if time.monotonic() > give_up_at_s:
            return running
        time.sleep(POLL_INTERVAL_S)
    return []


def is_running(process: psutil.Process) -> bool:
    """Whether it still executes; a zombie doesn't."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
