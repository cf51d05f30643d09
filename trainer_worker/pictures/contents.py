"""Hashes files, and compares them by their content, whatever they are called."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np

from trainer_worker.pictures.user_files import MAX_FILE_BYTES, RefusedFileError, UserFiles

#: Enough to keep a disk busy while other files are being hashed.
THREADS = 4
CHUNK_BYTES = 1024**2
#: How often the caller is informed of the progress, and can end the hashing.
TELL_EVERY_S = 0.2


def sha256_of(source: BinaryIO | io.RawIOBase, on_chunk: Callable[[bytes], object] = lambda chunk: None) -> str:
    """The SHA-256 of an open file from its position on, as hex digits.

    on_chunk: gets the content part by part. An exception from it ends the hashing.
    """
    digest = hashlib.sha256()
    while chunk := source.read(CHUNK_BYTES):
        on_chunk(chunk)
        digest.update(chunk)
    return digest.hexdigest()


def sha256_of_path(path: Path, on_chunk: Callable[[bytes], object] = lambda chunk: None) -> str:
    """The SHA-256 of a file; of a folder, that of the names and contents of all files below it, also behind links.

    on_chunk: as in `sha256_of`. Raises OSError if one of the files can't be read.
    """
    if not path.is_dir():
        with path.open("rb") as file:
            return sha256_of(file, on_chunk)
    digest = hashlib.sha256()
    for file_path in sorted(_files_below(path)):
        name = file_path.relative_to(path).as_posix()
        digest.update(
            f"{name.encode('utf-8', 'surrogateescape').hex()} {sha256_of_path(file_path, on_chunk)} ".encode()
        )
    return digest.hexdigest()


def _files_below(folder: Path) -> Iterator[Path]:
    """All files below the folder. A folder that links reach once more is not entered again, so no loop is endless."""

    def refuse(error: OSError) -> NoReturn:
        raise error

    entered = set()
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders.sort()  # so that the same one of two names is always the first
        yield from (path for name in names if (path := Path(parent, name)).is_file())


def content_hashes(
    files: UserFiles, paths: Sequence[Path], on_step: Callable[[float], None] | None = None
) -> list[str]:
    """SHA-256 of each file, as hex digits; "" for one that cannot or must not be read (see UserFiles.open).

    on_step: called at least once, with the finished fraction. An exception from it ends the hashing, even in the middle
    of a file.
    """
    if not paths:
        return []
    hashing = _Hashing(files, len(paths))
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="hash")
    try:
        results = [pool.submit(hashing.of_file, row, path) for row, path in enumerate(paths)]
        pending = set(results)
        while pending:
            _, pending = wait(pending, TELL_EVERY_S)
            if on_step is not None:
                on_step(float(hashing.shares.mean()))
        return [result.result() for result in results]
    finally:
        hashing.abandoned.set()
        pool.shutdown(wait=True, cancel_futures=True)


def content_groups(hashes: Sequence[str]) -> np.ndarray:
    """A number for each file, int64 (n,); byte-identical files, and only those, share one."""
    numbers: dict[str, int] = {}
    keys = (content or f"unreadable {row}" for row, content in enumerate(hashes))
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


class _AbandonedError(Exception):
    """Ends the hashing of a file that nobody waits for any more."""


class _Hashing:
    """The work of the threads. shares: how much of each file is hashed, 0 to 1."""

    def __init__(self, files: UserFiles, count: int) -> None:
        self._files = files
        self.shares = np.zeros(count)
        self.abandoned = threading.Event()

    def of_file(self, row: int, path: Path) -> str:
        try:
            with self._files.open(path) as file:
                size_bytes = max(1, file.seek(0, 2))
                file.seek(0)
                return sha256_of(file, lambda chunk: self._tell(row, file.tell(), size_bytes))
        except (OSError, RefusedFileError, _AbandonedError):
            return ""
        finally:
            self.shares[row] = 1.0

    def _tell(self, row: int, done_bytes: int, size_bytes: int) -> None:
        if self.abandoned.is_set():
            raise _AbandonedError
        if done_bytes > MAX_FILE_BYTES:
            raise RefusedFileError("it has grown since it was opened")
        self.shares[row] = min(1.0, done_bytes / size_bytes)
