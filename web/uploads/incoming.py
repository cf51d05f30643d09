"""What has arrived of pictures that are being uploaded: a file for each, in a folder of this machine.

Parts are not synced when they arrive. After a power cut a file may have its full size and yet lack some of them, so
what arrived before the machine was started again is not used: the names of the files have a mark of this run.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from conf.directory import Directory
from conf.machine import running_system
from protocol.picture_kinds import START_BYTES

MOST_FILE_BYTES = 1024**3


class WrongOffsetError(Exception):
    """A part does not begin where the one before has ended. offset: where that is."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class Arrived(NamedTuple):
    """A picture of which all parts have arrived. start: its first bytes."""

    sha256: str
    start: bytes


class Incoming:
    """All methods raise OSError."""

    def __init__(self, root: Path, steps: Sequence[str], system: str = "") -> None:
        """root: a folder that exists. steps: the names from there to the folder for the files.

        system: names this run of the machine; "" to find that out.
        """
        self.root = root
        self._steps = steps
        self._system = hashlib.sha256((system or running_system()).encode()).hexdigest()[:16]

    def name_of(self, upload_id: str) -> str:
        return f"{upload_id}.{self._system}"

    def folder(self) -> AbstractContextManager[Directory]:
        return opened_below(self.root, self._steps, make=True)

    def path_of(self, upload_id: str) -> Path:
        """For a root that only we can change."""
        return self.root.joinpath(*self._steps, self.name_of(upload_id))

    def create(self, upload_id: str) -> None:
        with self.folder() as folder:
            folder.create(self.name_of(upload_id)).close()

    def append(self, upload_id: str, offset: int, part: bytes) -> int:
        """Add a part, all of it or nothing, and return how many bytes have arrived. Raises WrongOffsetError."""
        with self.folder() as folder, folder.append_to(self.name_of(upload_id)) as file:
            size_bytes = os.fstat(file.fileno()).st_size
            if size_bytes != offset:
                raise WrongOffsetError(size_bytes)
            rest = memoryview(part)
            try:
                while rest:
                    rest = rest[file.write(rest) :]
            except OSError:
                file.truncate(size_bytes)
                raise
            return size_bytes + len(part)

    def size_of(self, upload_id: str) -> int:
        with self.folder() as folder:
            return folder.status(self.name_of(upload_id)).st_size

    def arrived(self, upload_id: str) -> Arrived:
        """Bring the bytes to the disk, and hash them."""
        with self.folder() as folder, folder.open(self.name_of(upload_id), MOST_FILE_BYTES) as file:
            os.fsync(file.fileno())
            start = file.read(START_BYTES)
            file.seek(0)
            return Arrived(sha256_of(file), start)

    def remove(self, upload_id: str) -> None:
        with self.folder() as folder:
            folder.remove(self.name_of(upload_id))

    def remove_all_but(self, upload_ids: set[str]) -> None:
        """Remove parts of uploads that nobody knows or that came before the machine was started again."""
        with self.folder() as folder:
            for name in set(folder.names()) - set(map(self.name_of, upload_ids)):
                folder.remove(name)


@contextmanager
def opened_below(root: Path, steps: Sequence[str], make: bool = False) -> Iterator[Directory]:
    """The folder at the end of these steps from a root. make: create the folders that are missing."""
    with ExitStack() as stack:
        folder = stack.enter_context(Directory.at(root))
        for name in steps:
            folder = stack.enter_context(folder.make_folder(name) if make else folder.folder(name))
        yield folder


def sha256_of(file: BinaryIO) -> str:
    # The type BinaryIO does not say that files have readinto().
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
