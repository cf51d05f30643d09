"""A file of a project folder that is open to be read, and what tells one content of it from another."""

from __future__ import annotations

import errno
import os
from typing import BinaryIO, NamedTuple

#: What is read at once. The next part is read when the caller has received this one.
PART_BYTES = 256 * 1024

#: Errors of the disk or of this process, which may pass. All others mean that there is no file that may be sent.
PASSING_ERRORS = (errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class Place(NamedTuple):
    """Where a file lies in a project folder: the folders on the way, and its name. A larger file is not opened."""

    folders: tuple[str, ...]
    name: str
    most_bytes: int

    @property
    def path(self) -> str:
        """The path in the project."""
        return "/".join((*self.folders, self.name))


class Content(NamedTuple):
    """What tells one content of a file from another, without reading it. The system sets changed_ns at every change."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, file: BinaryIO) -> Content:
        status = os.fstat(file.fileno())
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class OpenFile(NamedTuple):
    """content: as it was when the file was opened.

    is_copy: whether this is a copy of an object, which never changes. A new content of the object is another copy.
    """

    file: BinaryIO
    content: Content
    is_copy: bool = False


def read_part(file: OpenFile, begin: int, size_bytes: int, is_fixed: bool = False) -> bytes:
    """Bytes of the file. Runs in a thread. is_fixed: the file must not have changed.

    Raises OSError if it has, or if it has become shorter.
    """
    file.file.seek(begin)
    part = file.file.read(size_bytes)
    if not part or (is_fixed and Content.of(file.file) != file.content):
        raise OSError(errno.EIO, "the file was changed while it was being sent")
    return part
