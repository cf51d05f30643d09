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
    """A folder for this process; those of processes that have ended without tidying up are removed.

    Processes take turns here. So none sees the folder of another one before that is locked.
    """
    work = cache_dir / WORK
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    turn = _locked(work)
    try:
        for stale in work.iterdir():
            _remove_if_stale(stale)
        mine = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=work))
        _locked(mine)  # kept open: the lock ends with this process
        return mine
    finally:
        os.close(turn)


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


def _locked(folder: Path) -> int:
    """A descriptor of the folder, which holds its lock until it is closed. Waits for the lock."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    with contextlib.suppress(OSError):  # a file system without locks: what lies in it is never removed as stale
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _remove_if_stale(folder: Path) -> None:
    with contextlib.suppress(OSError):  # in use, or of another user
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)
