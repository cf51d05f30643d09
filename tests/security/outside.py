"""A folder that belongs to somebody else, and everything that happens to it while it is watched.

What is changed shows when the files are compared with what they were. What is read shows by inotify, which tells of
each read of a file and of each listing of a folder, whichever process does it (Linux's manual, inotify(7)).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

IN_ACCESS = 0x001
IN_Q_OVERFLOW = 0x4000
_EVENT = struct.Struct("iIII")
_READ_BYTES = 64 * 1024


class Entry(NamedTuple):
    """What must stay as it is of a file, folder or link."""

    kind: int
    mode: int
    content: bytes


def snapshot(folder: Path) -> dict[str, Entry]:
    """Everything below `folder` by its relative path, byte by byte; links are not followed."""
    entries = {}
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            status = path.lstat()
            content = b""
            if path.is_symlink():
                content = os.fsencode(path.readlink())
            elif path.is_file():
                content = path.read_bytes()
            entries[str(path.relative_to(folder))] = Entry(status.st_mode >> 12, status.st_mode & 0o7777, content)
    return entries


class ReadWatch:
    """Counts the reads of files and the listings of folders below one folder, from now on. Close it at the end."""

    def __init__(self, folder: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._folders: dict[int, Path] = {}
        for parent, _, _ in os.walk(folder):
            watch = self._libc.inotify_add_watch(self._fd, os.fsencode(parent), IN_ACCESS)
            if watch < 0:
                raise OSError(ctypes.get_errno(), "inotify_add_watch", parent)
            self._folders[watch] = Path(parent)
        # The walk above has listed the folders that were watched by then.
        self.take()

    def close(self) -> None:
        os.close(self._fd)

    def take(self) -> Counter[str]:
        """Paths that were read since the last call, each with its number of reads."""
        seen: Counter[str] = Counter()
        while True:
            try:
                events = os.read(self._fd, _READ_BYTES)
            except BlockingIOError:
                return seen
            offset = 0
            while offset < len(events):
                watch, mask, _, length = _EVENT.unpack_from(events, offset)
                name = events[offset + _EVENT.size : offset + _EVENT.size + length].rstrip(b"\0")
                offset += _EVENT.size + length
                if mask & IN_Q_OVERFLOW:
                    seen["(more reads than the kernel could tell)"] += 1
                elif mask & IN_ACCESS:
                    seen[str(self._folders[watch] / os.fsdecode(name))] += 1


@contextlib.contextmanager
def reads_of(folder: Path) -> Iterator[ReadWatch]:
    """A ReadWatch that is closed on leaving."""
    watch = ReadWatch(folder)
    try:
        yield watch
    finally:
        watch.close()
