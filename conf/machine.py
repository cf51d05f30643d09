"""The identity of the running system, so that processes can tell whether they share one."""

from __future__ import annotations

import functools
import socket
from pathlib import Path


@functools.cache
def running_system() -> str:
    """A text that is the same for all processes of one Linux system until it is rebooted, also in containers.

    Device numbers (st_dev) can be compared only within one system: some file systems get a new one at each boot.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return socket.gethostname()
