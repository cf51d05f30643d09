"""The copies of projects on the worker's disk, within a limit.

    <cache_dir>/projects/<hash of the URL>.<number>/
        lock              held while the copy is in use; its time says when that was last
        size              the bytes that the copy takes
        objects.jsonl     what it has (record.py)
        parts/            objects that are still being read
        folder/           the project

Two tasks of one project that run at once each have a copy, so neither sees a file change under its feet.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from protocol.errors import TrainingError

PROJECTS = "projects"
_LOCK, _SIZE = "lock", "size"


class _Copy(NamedTuple):
    """A copy that is on the shelf."""

    place: Path
    used_at_s: float
    size_bytes: int


class Shelf:
    def __init__(self, cache_dir: Path, most_bytes: int) -> None:
        self._folder = cache_dir / PROJECTS
        self._most_bytes = most_bytes

    @contextlib.contextmanager
    def taken(self, url: str) -> Iterator[Path]:
        """The place of a copy of this project that nobody else uses meanwhile."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = hashlib.sha256(url.encode()).hexdigest()[:32]
        for number in itertools.count():
            place = self._folder / f"{key}.{number}"
            with _locked(place) as is_mine:
                if is_mine:
                    try:
                        yield place
                    finally:
                        _note_size(place)
                    return

    def make_room(self, mine: Path, size_bytes: int, more_bytes: int) -> None:
        """Remove the copies that were used longest ago, as far as there must be room for `mine`.

        size_bytes: what the copy will take in all. more_bytes: what it takes now. Raises TrainingError disk_full.
        """
        (mine / _SIZE).write_text(str(size_bytes))  # so it counts even if this process is killed
        others = self._others(mine)
        while sum(copy.size_bytes for copy in others) + size_bytes > self._most_bytes or self._free() < more_bytes:
            if not others:
                raise self._no_room(size_bytes)
            oldest = others.pop(0)
            if not self._remove(oldest.place):
                # It is in use, so it has to stay, and its space cannot be used.
                size_bytes += oldest.size_bytes

    def _others(self, mine: Path) -> list[_Copy]:
        """All other copies, the one that was used longest ago first."""
        found = []
        for place in self._folder.iterdir():
            if place != mine:
                with contextlib.suppress(OSError, ValueError):
                    used_at_s = (place / _LOCK).stat().st_mtime
                    found.append(_Copy(place, used_at_s, int((place / _SIZE).read_text())))
        return sorted(found, key=lambda copy: copy.used_at_s)

    def _remove(self, place: Path) -> bool:
        with _locked(place) as is_mine:
            if is_mine:
                gone = place.with_name(f"removed-{secrets.token_hex(8)}")
                place.rename(gone)
                shutil.rmtree(gone, ignore_errors=True)
            return is_mine

    def _free(self) -> int:
        return shutil.disk_usage(self._folder).free

    def _no_room(self, size_bytes: int) -> TrainingError:
        return TrainingError(
            "disk_full",
            f"The project and the copies in use take {size_bytes / 1024**2:.0f} MB on the worker's disk. [storage] "
            f"cache_mb allows {self._most_bytes / 1024**2:.0f} MB, and {self._free() / 1024**2:.0f} MB are free there; "
            "post fewer photos, or tell the operator.",
        )


@contextlib.contextmanager
def _locked(place: Path) -> Iterator[bool]:
    """Hold the lock of a copy; False, at once, if another process has it or has just removed the copy."""
    place.mkdir(exist_ok=True, mode=0o700)
    try:
        lock = open(place / _LOCK, "ab")  # noqa: SIM115 - the next block closes it
    except FileNotFoundError:
        yield False
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        if not _is_there(place / _LOCK, lock.fileno()):
            # It was removed just before it was locked.
            yield False
            return
        os.utime(lock.fileno())
        yield True


def _is_there(path: Path, descriptor: int) -> bool:
    with contextlib.suppress(OSError):
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    return False


def _note_size(place: Path) -> None:
    with contextlib.suppress(OSError):
        (place / _SIZE).write_text(str(size_on_disk(place)))


def size_on_disk(folder: Path) -> int:
    """The bytes that a folder takes. Empty space in files takes none."""
    total = 0
    waiting = [os.fspath(folder)]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                total += status.st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return total
