"""One picture, as a file that the code for a project's pictures can open."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO

from trainer_worker.pictures.user_files import MAX_FILE_BYTES, UserFiles


class OnePicture(UserFiles):
    """Opens the same file whatever the path is, so there is no folder to leave."""

    @classmethod
    def sent(cls, content: bytes) -> OnePicture:
        """A picture that lies in memory, under no name."""
        with open(os.memfd_create("picture", os.MFD_CLOEXEC), "w+b") as file:
            file.write(content)
            file.flush()
            return cls.opened(file)

    @classmethod
    def opened(cls, file: BinaryIO) -> OnePicture:
        """A file on the disk. The caller may close it."""
        return cls(Path("/"), file.fileno())

    def open(self, path: Path, most_bytes: int = MAX_FILE_BYTES) -> io.FileIO:
        """A file of its own, which begins at the start of the picture."""
        return io.FileIO(os.open(f"/proc/self/fd/{self._descriptor}", os.O_RDONLY | os.O_CLOEXEC), "rb")
