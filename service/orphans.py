"""Programs that are still running although their supervisord was killed. Nothing restarts them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

from conf.process_end import wait_for_end


def find_orphans(socket: Path) -> list[psutil.Process]:
    """Find the programs of the supervisord that listened at `socket`, by a variable that it sets in their environment.

    Their child processes (trainer processes) are not in the list, because they end with their parents.
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
    """Send SIGTERM, so that workers hand their tasks back. After `timeout_s`, send SIGKILL to those that still run."""
    for process in orphans:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    alive = wait_for_end(orphans, timeout_s)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    wait_for_end(alive, timeout_s)
