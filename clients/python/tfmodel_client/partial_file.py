"""A file that is being downloaded: written under a temporary name, resumed later, and renamed if its hash is right."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

#: The bytes that are hashed at once when an earlier download is resumed.
BLOCK_BYTES = 1024 * 1024


class PartialFile:
    """The bytes of one file so far. Two downloads of one file at the same time disturb each other."""

    def __init__(self, target: Path, sha256: str) -> None:
        """sha256: of the whole file. It is part of the temporary name, so that parts of two versions never mix."""
        self._target = target
        self._sha256 = sha256
        self.path = target.with_name(f".{target.name[:100]}.{sha256[:16]}.part")
        self._hash = hashlib.sha256()
        self._file: BinaryIO | None = None
        self.size_bytes = 0

    def is_there(self) -> bool:
        """Whether the target itself already has these bytes."""
        try:
            with self._target.open("rb") as file:
                return _hashed(file).hexdigest() == self._sha256
        except FileNotFoundError:
            return False

    def open(self) -> None:
        """Resume after the bytes of an earlier download. Folders that are missing are made."""
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self.close()
        self._file = self.path.open("a+b")
        self._file.seek(0)
        self._hash = _hashed(self._file)
        self.size_bytes = self._file.tell()

    def restart(self) -> None:
        """Forget all bytes so far."""
        assert self._file is not None
        self._file.truncate(0)
        self._hash, self.size_bytes = hashlib.sha256(), 0

    def append(self, piece: bytes) -> None:
        assert self._file is not None
        self._file.write(piece)
        self._hash.update(piece)
        self.size_bytes += len(piece)

    def finish(self) -> bool:
        """Put the file in its place. Returns False, and deletes the part, if its hash is wrong."""
        assert self._file is not None
        is_right = self._hash.hexdigest() == self._sha256
        if is_right:
            self._file.flush()
            os.fsync(self._file.fileno())
        self.close()
        if is_right:
            self.path.replace(self._target)
        else:
            self.path.unlink(missing_ok=True)
        return is_right

    def close(self) -> None:
        """Leave the bytes so far for a later download."""
        if self._file is not None:
            self._file.close()
        self._file = None


def _hashed(file: BinaryIO) -> hashlib._Hash:
    found = hashlib.sha256()
    while block := file.read(BLOCK_BYTES):
        found.update(block)
    return found
