"""Records what programs do to the files below one folder, by the preloaded library of recorder.c."""

from __future__ import annotations

import enum
import fcntl
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).with_name("recorder.c")
CAN_RECORD = sys.platform == "linux" and shutil.which("cc") is not None
WHY_NOT = "recording what a program writes needs Linux and a C compiler ('cc')"
FOLDER_VARIABLE, LOG_VARIABLE = "POWER_LOSS_FOLDER", "POWER_LOSS_LOG"

_HEAD = struct.Struct("=IB3xQQqIIII")


class Kind(enum.IntEnum):
    """What happened. The numbers are those of recorder.c; MARK is written by the programs of a test."""

    CREATE = 1
    WRITE = 2
    TRUNCATE = 3
    SYNC = 4
    RENAME = 5
    LINK = 6
    SYMLINK = 7
    UNLINK = 8
    MKDIR = 9
    CHMOD = 10
    EXCHANGE = 11
    SYNC_ALL = 12
    MARK = 13


class Change(NamedTuple):
    """One change. one, other: inode numbers; for a change of names, those of the folders."""

    kind: Kind
    one: int
    other: int
    offset: int
    mode: int
    name: str
    new_name: str
    data: bytes


class Recorder:
    """Runs programs so that their changes below `folder` are recorded."""

    def __init__(self, folder: Path, log: Path) -> None:
        """log: the file of the records, which must lie elsewhere."""
        self.folder, self.log = folder.resolve(), log.resolve()
        self._library = log.with_suffix(".so")
        # A server may run as another user.
        self.log.touch(0o666)
        self.log.chmod(0o666)
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-O1", "-o", str(self._library), str(SOURCE)], check=True, capture_output=True
        )

    def environ(self) -> dict[str, str]:
        """What makes a program record its changes."""
        return {
            "LD_PRELOAD": str(self._library),
            FOLDER_VARIABLE: str(self.folder),
            LOG_VARIABLE: str(self.log),
        }

    def run(self, words: Sequence[str], environ: Mapping[str, str], cwd: Path, timeout_s: float) -> None:
        """Run a program to its end. Raises RuntimeError with its errors if it fails."""
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**environ, **self.environ()},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr[-4000:]}")

    def changes(self) -> list[Change]:
        """All that has been recorded, in order."""
        return list(_parsed(self.log.read_bytes())) if self.log.exists() else []


def mark(words: str) -> None:
    """Record that the outside world has been told something, in a program that a Recorder runs.

    What is marked must be true of the disk after every later power cut.
    """
    data = words.encode()
    head = _HEAD.pack(_HEAD.size + len(data), Kind.MARK, 0, 0, 0, 0, 0, len(data), 0)
    descriptor = os.open(os.environ[LOG_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, head + data)
    finally:
        os.close(descriptor)


def _parsed(log: bytes) -> Iterator[Change]:
    at = 0
    while at < len(log):
        size, kind, one, other, offset, name_size, new_name_size, data_size, mode = _HEAD.unpack_from(log, at)
        name_at = at + _HEAD.size
        new_name_at = name_at + name_size
        data_at = new_name_at + new_name_size
        name, new_name = os.fsdecode(log[name_at:new_name_at]), os.fsdecode(log[new_name_at:data_at])
        yield Change(Kind(kind), one, other, offset, mode, name, new_name, log[data_at : data_at + data_size])
        at += size
