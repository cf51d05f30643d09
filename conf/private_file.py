"""A file with secrets of the service: only its owner may read it, and it is always replaced as a whole.

Its last line is a checksum. A flipped bit could otherwise give a token to another user, and nobody would notice.
"""

from __future__ import annotations

import fcntl
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conf.folder_sync import make_folders
from conf.whole_file import whole_file

MAX_FILE_BYTES = 1_000_000
#: The bits of a file's mode that allow other users to write to it, or everybody to read it.
OPEN_TO_OTHERS = 0o026
#: Begins the last line. A file without it was written by an earlier version.
SEAL = b"\ncrc32 "


class PrivateFile:
    def __init__(self, path: Path, noun: str, cure: str, error: type[Exception]) -> None:
        """noun: what errors call the file. cure: how to make a new one. error: the exception that all methods raise."""
        self.path = path
        self._noun = noun
        self._cure = cure
        self._error = error

    def read(self) -> bytes | None:
        """Return the content, or None if there is no file.

        Raises the error if the file cannot be read, others may have read or written it, or its checksum does not fit.
        """
        file = f"The {self._noun} {self.path}"
        try:
            trusted = (0, os.geteuid(), self.path.parent.stat().st_uid)
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(f"{file} cannot be opened ({error.strerror}).") from error
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):  # open() would fail for a folder, and leave the descriptor open
            os.close(descriptor)
            raise self._error(f"{file} is not a regular file; move it away.")
        with open(descriptor, "rb") as opened:
            if status.st_uid not in trusted:
                raise self._error(
                    f"{file} belongs to user id {status.st_uid}, who is neither the service's user nor the owner of "
                    f"its folder; move it away and {self._cure}."
                )
            if status.st_mode & OPEN_TO_OTHERS:
                raise self._error(
                    f"Others may read or write the {self._noun} {self.path}; run 'chmod 600 {self.path}', and "
                    f"{self._cure} if somebody may have done so."
                )
            try:
                content = opened.read(MAX_FILE_BYTES + 1)
            except OSError as error:
                raise self._error(f"{file} cannot be read ({error.strerror}).") from error
        if len(content) > MAX_FILE_BYTES:
            raise self._error(f"{file} has more than {MAX_FILE_BYTES} bytes; move it away.")
        sealed, seal, checksum = content.rpartition(SEAL)
        if not seal:
            return content
        if checksum.strip() != _checksum(sealed):
            raise self._error(
                f"{file} does not fit the checksum in its last line, so it is damaged or somebody has changed it. "
                "Restore it. If it was changed on purpose, delete that line. Otherwise move the file away and "
                f"{self._cure}."
            )
        return sealed

    def damaged(self, reason: object) -> Exception:
        """The error for a content that cannot be understood."""
        return self._error(
            f"The {self._noun} {self.path} is damaged ({reason}); restore it, or move it away and {self._cure}."
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold a lock, so that changes are made one after the other. Raises the error if its folder is not writable."""
        folder = self.path.parent
        try:
            make_folders(folder, 0o700)
            lock = self.path.with_name(self.path.name + ".lock")
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._error(f"{folder} cannot be written to ({error.strerror}).") from error
        try:
            give_to_owner(descriptor, folder)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def write(self, content: bytes) -> None:
        """Replace the file as a whole. Its mode is set before anything is written into it."""
        try:
            with whole_file(self.path, mode=0o600) as opened:
                give_to_owner(opened.fileno(), self.path.parent)
                opened.write(content + SEAL + _checksum(content) + b"\n")
        except OSError as error:
            raise self._error(f"The {self._noun} {self.path} cannot be written ({error.strerror}).") from error


def _checksum(content: bytes) -> bytes:
    return b"%08x" % zlib.crc32(content)


def give_to_owner(descriptor: int, folder: Path) -> None:
    """Give the file to the owner of its folder: the service must be able to read what root has made."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
