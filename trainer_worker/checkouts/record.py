"""What a copy of a project has on the disk: for each file the object and the ETag that it was read from.

    objects.jsonl     one Entry on each line; of two lines about one path, the later one counts

A line is added when its file has its place. A worker that is killed in between reads that one object again.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Collection
from pathlib import Path

import msgspec

from conf.whole_file import whole_file
from storage.object_store import ObjectInfo


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """path: of the file in the project. name: of the object. whole: False for empty space of the object's size."""

    path: str
    name: str
    etag: str
    size_bytes: int
    changed_at_ns: int
    whole: bool


class Record:
    """Calls may come from two threads."""

    def __init__(self, file: Path, folder: Path) -> None:
        """folder: of the project."""
        self._file, self._folder = file, folder
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()
        self._lines: io.FileIO | None = None
        with contextlib.suppress(OSError):
            for line in file.read_bytes().splitlines():
                # The last line may be torn, also within a letter.
                with contextlib.suppress(ValueError):
                    entry = msgspec.json.decode(line, type=Entry)
                    self._entries[entry.path] = entry

    def has(self, path: str, info: ObjectInfo, whole: bool) -> bool:
        """Whether the file has the object's content; for whole=False, whether it has at least its size."""
        entry = self._entries.get(path)
        if entry is None or (entry.name, entry.etag) != (info.name, info.etag) or (whole and not entry.whole):
            return False
        return self.is_untouched(path)

    def is_untouched(self, path: str) -> bool:
        """Whether the file is as it was when it was recorded."""
        entry = self._entries.get(path)
        if entry is None:
            return False
        with contextlib.suppress(OSError):
            status = os.lstat(self._folder / path)
            return (status.st_size, status.st_mtime_ns) == (entry.size_bytes, entry.changed_at_ns)
        return False

    def add(self, path: str, info: ObjectInfo, whole: bool) -> None:
        """Record a file that has its place."""
        status = os.lstat(self._folder / path)
        entry = Entry(path, info.name, info.etag, status.st_size, status.st_mtime_ns, whole)
        with self._lock:
            self._entries[path] = entry
            if self._lines is None:
                self._lines = open(self._file, "ab", buffering=0)  # noqa: SIM115 - closed by close()
            self._lines.write(msgspec.json.encode(entry) + b"\n")

    def paths(self) -> list[str]:
        return list(self._entries)

    def forget(self, path: str) -> None:
        self._entries.pop(path, None)

    def keep_only(self, paths: Collection[str]) -> None:
        """Forget all other files, and write the record anew."""
        with self._lock:
            self._entries = {path: entry for path, entry in self._entries.items() if path in paths}
            with whole_file(self._file, synced=False) as file:
                file.writelines(msgspec.json.encode(entry) + b"\n" for entry in self._entries.values())
        self.close()

    def close(self) -> None:
        with self._lock:
            if self._lines is not None:
                self._lines.close()
            self._lines = None
