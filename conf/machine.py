"""Which running system this is, so that processes can tell whether they share one."""

from __future__ import annotations

import functools
import socket
from pathlib import Path


@functools.cache
def running_system() -> str:
    """The same for all processes of one Linux system until it is started anew, in containers too.

    Numbers of devices (st_dev) mean the same only within it: some file systems get another one at each start.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return socket.gethostname()
