"""What has arrived of pictures that are being uploaded: a file for each, in a folder of this machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from conf.directory import Directory
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


class Placed(NamedTuple):
    """name: of the picture in the folder of its class. is_duplicate: whether it lay there before."""

    name: str
    is_duplicate: bool


class Incoming:
    """All methods raise OSError."""

    def __init__(self, root: Path, steps: Sequence[str]) -> None:
        """root: a folder that exists. steps: the names from there to the folder for the files."""
        self.root = root
        self._steps = steps

    def folder(self) -> AbstractContextManager[Directory]:
        return opened_below(self.root, self._steps, make=True)

    def path_of(self, upload_id: str) -> Path:
        """For a root that only we can change."""
        return self.root.joinpath(*self._steps, upload_id)

    def create(self, upload_id: str) -> None:
        with self.folder() as folder:
            folder.create(upload_id).close()

    def append(self, upload_id: str, offset: int, part: bytes) -> int:
        """Add a part, all of it or nothing, and return how many bytes have arrived. Raises WrongOffsetError."""
        with self.folder() as folder, folder.append_to(upload_id) as file:
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
            return folder.status(upload_id).st_size

    def arrived(self, upload_id: str) -> Arrived:
        """Bring the bytes to the disk, and hash them."""
        with self.folder() as folder, folder.open(upload_id, MOST_FILE_BYTES) as file:
            os.fsync(file.fileno())
            start = file.read(START_BYTES)
            file.seek(0)
            return Arrived(sha256_of(file), start)

    def remove(self, upload_id: str) -> None:
        with self.folder() as folder:
            folder.remove(upload_id)

    def remove_all_but(self, upload_ids: set[str]) -> None:
        """Remove parts of uploads that nobody knows, for example because the file of the uploads was lost."""
        with self.folder() as folder:
            for name in set(folder.names()) - upload_ids:
                folder.remove(name)


@contextmanager
def opened_below(root: Path, steps: Sequence[str], make: bool = False) -> Iterator[Directory]:
    """The folder at the end of these steps from a root. make: create the folders that are missing."""
    with ExitStack() as stack:
        folder = stack.enter_context(Directory.at(root))
        for name in steps:
            folder = stack.enter_context(_made(folder, name) if make else folder.folder(name))
        yield folder


def _made(parent: Directory, name: str) -> Directory:
    """Open a folder. A new one has its name on the disk, so that no power cut takes it with the pictures in it."""
    try:
        return parent.folder(name)
    except FileNotFoundError:
        made = parent.make_folder(name)
        parent.sync()
        return made


def sha256_of(file: BinaryIO) -> str:
    # The type BinaryIO does not say that files have readinto().
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
