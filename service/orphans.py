"""Programs that a supervisord left behind when it was killed: they serve on, and nobody looks after them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil


def find_orphans(socket: Path) -> list[psutil.Process]:
    """The programs of the supervisord that listened at `socket`, by what it puts into their environment.

    Their own children (trainer processes) are not in the list: they end with their parents.
    """
    url = f"unix://{socket}"
    marked = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("SUPERVISOR_SERVER_URL") == url and process.status() != psutil.STATUS_ZOMBIE:
                marked[process.pid] = process
    orphans = []
    for process in marked.values():
        with contextlib.suppress(psutil.Error):
            if process.ppid() not in marked:
                orphans.append(process)
    return orphans


def end_orphans(orphans: list[psutil.Process], timeout_s: float) -> None:
    """SIGTERM, so that workers hand their tasks back; SIGKILL for what is left after the time."""
    for process in orphans:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(orphans, timeout=timeout_s)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=timeout_s)
