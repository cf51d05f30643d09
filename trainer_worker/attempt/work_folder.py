"""Folders of the worker's own, in which models are made and checked before they are copied into a project folder.

    <cache_dir>/work/<pid>-<random>/     of one trainer process, locked while it runs; for this user only (0700)

Nobody else can change a file in here between its check and its use, as anybody with rights in a project folder could.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from protocol.errors import TrainingError, is_disk_full

WORK = "work"


def take_work_dir(cache_dir: Path) -> Path:
    """A folder for this process; those of processes that have ended without tidying up are removed."""
    work = cache_dir / WORK
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    for stale in work.iterdir():
        _remove_if_stale(stale)
    while True:
        mine = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=work))
        descriptor = os.open(mine, os.O_RDONLY | os.O_DIRECTORY)  # kept open: the lock ends with this process
        with contextlib.suppress(OSError):  # a file system without locks: the folder stays until somebody removes it
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if mine.exists():  # else another process took it for a stale one before it was locked
            return mine
        os.close(descriptor)


@contextlib.contextmanager
def work_folder(work_dir: Path | None) -> Iterator[Path]:
    """A fresh folder in work_dir (None: the system's for temporary files), removed on leaving.

    Raises TrainingError disk_full, naming the folder, when the disk that holds it is full.
    """
    if work_dir is not None:
        work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix="model-", dir=work_dir))
    try:
        yield folder
    except Exception as error:
        if is_disk_full(error) and not isinstance(error, TrainingError):
            sentence = f"The disk that holds the worker's own folder {folder.parent} is full; free some space there."
            raise TrainingError("disk_full", sentence) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_if_stale(folder: Path) -> None:
    with contextlib.suppress(OSError):  # in use, or of another user
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)
