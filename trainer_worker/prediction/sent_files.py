"""A picture that is in memory, as a file that the code for a project's pictures can open."""

from __future__ import annotations

import io
import os
from pathlib import Path

from trainer_worker.pictures.user_files import MAX_FILE_BYTES, UserFiles


class SentFile(UserFiles):
    """Opens the same bytes whatever the path is. They lie in memory under no name, so there is no folder to leave."""

    def __init__(self, content: bytes) -> None:
        descriptor = os.memfd_create("picture", os.MFD_CLOEXEC)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            super().__init__(Path("/"), descriptor)

    def open(self, path: Path, most_bytes: int = MAX_FILE_BYTES) -> io.FileIO:
        """A file of its own, which begins at the start of the picture."""
        return io.FileIO(os.open(f"/proc/self/fd/{self._descriptor}", os.O_RDONLY | os.O_CLOEXEC), "rb")
