"""One directory, held by its descriptor. Nothing in it is read, written, renamed or removed through a link.

The system looks a path up again at every call, so everybody who can write to a folder could put a link into the path
between two calls. A descriptor stays with the directory that was opened. Every method takes the name of one entry,
opens it relative to the descriptor and refuses links, so no call can leave the directory.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from conf.folder_sync import sync_opened_folder
from conf.whole_file import whole_file

_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Without O_NONBLOCK, opening a FIFO would wait until somebody writes into it.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: Without O_NONBLOCK, opening a FIFO would wait until somebody reads from it.
_APPEND_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_RENAME_EXCHANGE = 2


class UnexpectedEntryError(OSError):
    """The entry is not a regular file, is larger than allowed, or has a name that could lead out of the directory."""


class Directory:
    """A context manager: leaving it closes the descriptor. All methods raise OSError."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def at(cls, path: Path) -> Directory:
        """Open a path that only we can change, such as one of the worker's own folders."""
        return cls(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))

    def __enter__(self) -> Directory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def fileno(self) -> int:
        """The descriptor, as files have it."""
        return self._descriptor

    def names(self) -> list[str]:
        """The names of all entries, in any order."""
        return os.listdir(self._descriptor)  # noqa: PTH208 - pathlib knows no descriptors

    def status(self, name: str) -> os.stat_result:
        """The status of the entry itself. For a link, this is the link and not its target."""
        return os.stat(_checked(name), dir_fd=self._descriptor, follow_symlinks=False)

    def is_writable(self, name: str) -> bool:
        """Whether this process may create entries in the folder `name` of this directory, or in the directory (".")."""
        return os.access(name, os.W_OK | os.X_OK, dir_fd=self._descriptor, effective_ids=True)

    def own_status(self) -> os.stat_result:
        return os.fstat(self._descriptor)

    def folder(self, name: str) -> Directory:
        """Open a folder of this directory. NotADirectoryError for anything else, also for a link to a folder."""
        return Directory(os.open(_checked(name), _DIRECTORY_FLAGS, dir_fd=self._descriptor))

    def make_folder(self, name: str) -> Directory:
        """Open a folder of this directory. If there is none, it is created, and its name is on the disk then."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(_checked(name), dir_fd=self._descriptor)
            self.sync()
        return self.folder(name)

    def open(self, name: str, most_bytes: int) -> BinaryIO:
        """Open a regular file of at most most_bytes to read it. UnexpectedEntryError for any other entry."""
        descriptor = os.open(_checked(name), _FILE_FLAGS, dir_fd=self._descriptor)
        try:
            # The kind is checked before open() is called, which refuses a folder but leaves its descriptor open.
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > most_bytes:
                raise UnexpectedEntryError(errno.EINVAL, f"not a regular file of at most {most_bytes} bytes", name)
            return open(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise

    def read(self, name: str, most_bytes: int) -> bytes:
        """The content of a regular file of at most most_bytes."""
        with self.open(name, most_bytes) as file:
            content = file.read(most_bytes + 1)
        if len(content) > most_bytes:  # it has grown since it was opened
            raise UnexpectedEntryError(errno.EINVAL, f"not a regular file of at most {most_bytes} bytes", name)
        return content

    def create(self, name: str) -> BinaryIO:
        """Create a file to write to. FileExistsError if any entry has that name, even a link."""
        return open(os.open(_checked(name), _NEW_FILE_FLAGS, 0o666, dir_fd=self._descriptor), "wb")

    def append_to(self, name: str) -> BinaryIO:
        """Open a file to add to its end, without a buffer. It is created if it is missing.

        Anything but a regular file is replaced by an empty file. So is a file with a second name, because that may be
        somebody else's file, and a file that this process may not write to.
        """
        try:
            descriptor = os.open(_checked(name), _APPEND_FLAGS, dir_fd=self._descriptor)
        except FileNotFoundError:
            return self._created_to_append(name)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.EACCES):
                raise
        else:
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                return open(descriptor, "ab", buffering=0)
            os.close(descriptor)
        self.remove(name)
        return self._created_to_append(name)

    def _created_to_append(self, name: str) -> BinaryIO:
        descriptor = os.open(name, _NEW_FILE_FLAGS | os.O_APPEND, 0o666, dir_fd=self._descriptor)
        return open(descriptor, "ab", buffering=0)

    def replace(self, name: str, parts: Iterable[bytes], synced: bool) -> None:
        """Like `write_whole`, but a folder of that name is removed. Where we keep files, no folder is ours."""
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(self.status(name).st_mode):
                self.remove(name)
        self.write_whole(name, parts, synced)

    def write_whole(self, name: str, parts: Iterable[bytes], synced: bool) -> None:
        """Write a file in place of the entry of that name. Raises IsADirectoryError if that is a folder.

        A crash leaves all of the old content or all of the new. synced: so does a power cut, and once this returns, it
        leaves the new content.
        """
        with whole_file(Path(_checked(name)), self._descriptor, synced=synced) as file:
            for part in parts:
                file.write(part)

    def rename(self, old: str, new: str) -> None:
        """Like os.rename: a file replaces a file, and a folder replaces only an empty folder."""
        here = self._descriptor
        os.rename(_checked(old), _checked(new), src_dir_fd=here, dst_dir_fd=here)

    def link_into(self, name: str, other: Directory, new: str) -> None:
        """Give a file of this directory a second name, in another directory. FileExistsError if it is taken there."""
        names = _checked(name), _checked(new)
        os.link(*names, src_dir_fd=self._descriptor, dst_dir_fd=other._descriptor, follow_symlinks=False)

    def exchange(self, one: str, other: str) -> bool:
        """Swap two entries in one step (Linux's renameat2). False if the system or the file system can't."""
        try:
            rename = ctypes.CDLL(None).renameat2
        except AttributeError:
            return False
        names = os.fsencode(_checked(one)), os.fsencode(_checked(other))
        return bool(rename(self._descriptor, names[0], self._descriptor, names[1], _RENAME_EXCHANGE) == 0)

    def link_target(self, name: str) -> str:
        """The target of a link, as it is stored. The link is not followed."""
        return os.readlink(_checked(name), dir_fd=self._descriptor)

    def point_link(self, name: str, target: str) -> None:
        """Make `name` a link to the entry `target` of this directory. Replaces a link or file of that name."""
        temporary = f".{name}.{secrets.token_hex(8)}"
        os.symlink(_checked(target), temporary, dir_fd=self._descriptor)
        try:
            self.rename(temporary, name)
        except OSError:
            os.unlink(temporary, dir_fd=self._descriptor)
            raise

    def remove(self, name: str) -> None:
        """Remove an entry with all its contents. Of a link only the link is removed. No error if there is no entry."""
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(self.status(name).st_mode):
                # Python's rmtree calls itself for each level, so it can't remove a tree of a thousand levels.
                with contextlib.suppress(RecursionError):
                    shutil.rmtree(name, ignore_errors=True, dir_fd=self._descriptor)
            else:
                os.unlink(_checked(name), dir_fd=self._descriptor)

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """Hold a lock on the directory (flock). Gives False, at once, if another opener of the directory holds it.

        The lock only keeps our own processes apart. Whoever may open the directory may lock it for ever, so nobody
        waits for it. On a file system without locks, it is always given.
        """
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:
            yield True
            return
        try:
            yield True
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def sync(self) -> None:
        """Wait until the names of the entries are on the disk."""
        sync_opened_folder(self._descriptor)


def _checked(name: str) -> str:
    """The name, if it is that of one entry and cannot lead anywhere else."""
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise UnexpectedEntryError(errno.EINVAL, "not the name of one entry of a folder", name)
    return name
