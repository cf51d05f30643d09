"""The identity of the running system. Two processes use it to tell whether they run on the same one."""

from __future__ import annotations

import functools
import socket
from pathlib import Path


@functools.cache
def running_system() -> str:
    """Return a text that all processes of a Linux system share until it is rebooted, in containers too.

    Device numbers (st_dev) mean the same only within one running system: some file systems get a new one at each boot.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return socket.gethostname()
