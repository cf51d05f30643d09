"""Writes a file so that others see all of it or nothing."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from conf.folder_sync import sync_folder, sync_opened_folder


@contextlib.contextmanager
def whole_file(path: Path, dir_fd: int | None = None, mode: int = 0o666, synced: bool = True) -> Iterator[BinaryIO]:
    """A new file, to write in the block. It takes the place of `path` when the block ends without an error.

    dir_fd: the folder that a relative path starts at; no link is followed for the last part of the path. mode: as for
    os.open. synced: the file is on the disk before it gets its name, and its name is there when the block ends. So a
    power cut leaves the old content or the new one, and from then on only the new one. Raises OSError, and then removes
    the new file.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, mode, dir_fd=dir_fd)
    try:
        with open(descriptor, "wb") as file:
            yield file
            if synced:
                file.flush()
                os.fsync(descriptor)
        os.rename(temporary, path, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
        if synced:
            sync_folder(path.parent) if dir_fd is None else sync_opened_folder(dir_fd)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=dir_fd)
        raise
