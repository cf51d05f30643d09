"""Brings the names in a folder to the disk.

Syncing a file brings its content there, and not its name. Without this, a power cut may leave a folder as if a file had
never been created, renamed or removed, although its content has been synced.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

#: The errors of file systems that have nothing to do here.
_NEEDLESS = (errno.EINVAL, errno.EOPNOTSUPP)


def sync_opened_folder(descriptor: int) -> None:
    """Wait until the names of all entries are on the disk."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NEEDLESS:
            raise


def sync_folder(folder: Path) -> None:
    """Wait until the names of all entries of this folder are on the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync_opened_folder(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Wait until all files and folders below `folder` are on the disk, with their names in it."""
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder)


def make_folders(folder: Path, mode: int = 0o777) -> None:
    """Create a folder and the missing ones above it, and wait until their names are on the disk.

    mode: of the folder itself, as for os.mkdir. No error if it exists. Raises OSError.
    """
    if folder.is_dir():
        return
    make_folders(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode)
    sync_folder(folder.parent)
