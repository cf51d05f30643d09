"""All access to a user's own files. It ensures that what is listed or read really lies inside the project.

A project's folder belongs to a stranger, who may put a link, a pipe or a file of 8 TB there, or swap a folder for
another one at any moment. The project's own folder is therefore held by its descriptor, and every path starts there.
A file is first opened without the right to read it (O_PATH), which has no effect on pipes and devices. Then the kernel
is asked where that open file lies. Only a regular file inside the project is then opened for reading, by its
descriptor, so no swap of names can come between the check and the reading (docs/choices.md, "One door to the user's
files").
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

#: Larger files are neither decoded nor hashed. 100 megapixels of 16-bit RGB take 600 MB uncompressed.
MAX_FILE_BYTES = 1024**3

#: "link": not looked at yet, see `find`. "other": a pipe, a socket or a device.
Kind = Literal["file", "folder", "link", "other"]

#: The reason for refusing a link to another folder.
LEAVES_PROJECT = "it is a link that leads out of the project"
_REASONS = {
    errno.ENOENT: "the file is missing",
    errno.ENOTDIR: "the file is missing",
    errno.ELOOP: "it is a link that leads back to itself",
    errno.ENAMETOOLONG: "its path is longer than the system can open; put it into fewer folders",
    errno.EACCES: "it may not be read (permission denied)",
    errno.EPERM: "it may not be read (permission denied)",
}
_MISSING = (errno.ENOENT, errno.ENOTDIR)


class RefusedFileError(Exception):
    """A file or folder that is not read. `reason` is a short sentence that does not reveal where a link leads."""

    def __init__(self, reason: str, missing: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.missing = missing


@dataclass(frozen=True)
class SkippedFile:
    """A file that is left out of the training, relative to the project's folder, and the reason in plain words."""

    file: str
    reason: str


class Entry(NamedTuple):
    """An entry of a folder. size_bytes: of a file; 0 for all else."""

    name: str
    kind: Kind
    size_bytes: int = 0


class Place(NamedTuple):
    """What a path leads to. real: its path without any links. size_bytes: of a file; 0 for all else."""

    kind: Kind
    real: str
    size_bytes: int = 0


class UserFiles:
    """The files of one project. Links are followed as long as they stay inside the project.

    All paths that the methods take and give begin with `project_dir`. They lead into the folder that was opened, even
    if it has been moved since and another one stands at that path.
    """

    def __init__(self, project_dir: Path, descriptor: int) -> None:
        """descriptor: of the project's open folder. It may be closed later, since a copy of it is kept."""
        self.project_dir = project_dir
        self._descriptor = os.dup(descriptor)
        weakref.finalize(self, os.close, self._descriptor)

    @classmethod
    def at(cls, project_dir: Path) -> UserFiles:
        """The files of a folder that needs no check: for benchmarks and tests. A task's are `ProjectFolder.files`."""
        descriptor = os.open(project_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return cls(project_dir, descriptor)
        finally:
            os.close(descriptor)

    def name_of(self, path: Path) -> str:
        """The path relative to the project, for messages and reports."""
        return path.relative_to(self.project_dir).as_posix()

    def open(self, path: Path, most_bytes: int = MAX_FILE_BYTES) -> io.FileIO:
        """Open a file. Raises RefusedFileError unless it is a regular file in the project of at most most_bytes."""
        with self._found(path) as number:
            status = os.fstat(number)
            if not stat.S_ISREG(status.st_mode):
                raise RefusedFileError("it can't be read, since it is no regular file")
            if status.st_size > most_bytes:
                raise RefusedFileError(f"it is larger than {_size(most_bytes)}, and so it is not read; save it smaller")
            return io.FileIO(_read_only(number), "rb")

    def read_small(self, path: Path, most_bytes: int) -> bytes | None:
        """The whole content; None if nothing has that name. Raises what `open` raises."""
        try:
            with self.open(path, most_bytes) as file:
                return file.read(most_bytes)
        except RefusedFileError as refused:
            if refused.missing:
                return None
            raise

    def find(self, path: Path) -> Place:
        """What a path leads to, also by a link. Raises RefusedFileError if that is missing or outside the project."""
        with self._found(path) as number:
            status = os.fstat(number)
            kind = _kind(status.st_mode)
            return Place(kind, _real(number), status.st_size if kind == "file" else 0)

    def entries(self, folder: Path) -> list[Entry]:
        """The entries of a folder, sorted by name. Raises RefusedFileError if it is missing or outside the project."""
        with self._found(folder) as number:
            try:
                readable = _read_only(number, os.O_DIRECTORY)
            except NotADirectoryError as error:
                raise RefusedFileError("it is no folder") from error
            try:
                with os.scandir(readable) as listing:
                    return sorted(map(_entry, listing))
            finally:
                os.close(readable)

    @contextlib.contextmanager
    def _found(self, path: Path) -> Iterator[int]:
        """A descriptor of the file, without the right to read. An OSError in the block becomes a RefusedFileError."""
        try:
            own = _real(self._descriptor)
            number = os.open(path.relative_to(self.project_dir), os.O_PATH | os.O_CLOEXEC, dir_fd=self._descriptor)
            try:
                if not f"{_real(number)}/".startswith(f"{own.rstrip('/')}/"):
                    raise RefusedFileError(LEAVES_PROJECT)
                if _real(self._descriptor) != own:  # an absolute link may have led into a folder of the same name
                    raise RefusedFileError("the project's folder was moved while the file was being opened")
                yield number
            finally:
                os.close(number)
        except OSError as error:
            raise self._refusal(path, error) from error
        except ValueError as error:  # a name with a zero byte, or a path outside of the project
            raise RefusedFileError("the file is missing", missing=True) from error

    def _refusal(self, path: Path, error: OSError) -> RefusedFileError:
        number = error.errno or 0
        if number in _MISSING and self._is_link(path):
            return RefusedFileError("it is a link to a file that is missing")
        reason = _REASONS.get(number, f"the file can't be read ({os.strerror(number)})")
        return RefusedFileError(reason, missing=number in _MISSING)

    def _is_link(self, path: Path) -> bool:
        try:
            name = path.relative_to(self.project_dir)
            return stat.S_ISLNK(os.stat(name, dir_fd=self._descriptor, follow_symlinks=False).st_mode)
        except OSError:
            return False


def _read_only(number: int, flags: int = 0) -> int:
    """A descriptor for reading what the descriptor `number` stands for, whatever its name leads to by now."""
    return os.open(f"/proc/self/fd/{number}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | flags)


def _real(number: int) -> str:
    return os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115 - the text exactly as the kernel gives it


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    return "folder" if stat.S_ISDIR(mode) else "other"


def _entry(listed: os.DirEntry[str]) -> Entry:
    kind = _kind_listed(listed)
    try:
        return Entry(listed.name, kind, listed.stat(follow_symlinks=False).st_size if kind == "file" else 0)
    except FileNotFoundError:  # removed a moment ago
        return Entry(listed.name, kind)


def _kind_listed(entry: os.DirEntry[str]) -> Kind:
    if entry.is_symlink():
        return "link"
    if entry.is_file(follow_symlinks=False):
        return "file"
    return "folder" if entry.is_dir(follow_symlinks=False) else "other"


def _size(size_bytes: int) -> str:
    return f"{size_bytes // 1024**2:,} MB" if size_bytes >= 1024**2 else f"{size_bytes // 1024:,} kB"
