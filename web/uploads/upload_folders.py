"""The files of the uploads: parts that have arrived, and the pictures of the projects that are made of them.

    <first data root>/uploads/.incoming/<uploadId>                   what has arrived of a picture
    <first data root>/uploads/<userId>/<projectId>/<label>/<name>    a stored picture

Other programs may change these folders at any moment. Everything is reached by descriptors from the data root down, so
no link is followed, and no file is written over.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from conf.directory import Directory
from protocol.litter import may_be_picture
from protocol.picture_kinds import START_BYTES
from protocol.project_layout import worker_folder
from web.browsing.visible_folders import UPLOADS
from web.uploads.upload_names import numbered
from web.uploads.upload_store import Upload

INCOMING = ".incoming"
MOST_FILE_BYTES = 1024**3
#: Names that are tried for a picture whose name is taken.
MOST_NUMBERS = 10_000
READ_BYTES = 1024**2
#: The entries of a class that are counted.
MOST_COUNTED = 1_000_000
#: A file system that has no second names for files.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK, errno.ENOSYS)


class WrongOffsetError(Exception):
    """A part does not begin where the one before has ended. offset: where that is."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class Arrived(NamedTuple):
    """A picture of which all parts have arrived. start: its first bytes."""

    sha256: str
    start: bytes


class Placed(NamedTuple):
    """name: of the picture in the folder of its class. is_duplicate: whether it lay there before."""

    name: str
    is_duplicate: bool


class UploadFolders:
    """All methods raise OSError."""

    def __init__(self, root: Path) -> None:
        """root: the data root, with links resolved."""
        self._root = root

    def path_of(self, user_id: str, project_id: str) -> Path:
        return self._root / UPLOADS / user_id / project_id

    # ---- what has arrived ----

    def create(self, upload_id: str) -> None:
        with self._incoming() as folder:
            folder.create(upload_id).close()

    def append(self, upload_id: str, offset: int, part: bytes) -> int:
        """Add a part and return how many bytes there are then. Raises WrongOffsetError, and adds all or nothing."""
        with self._incoming() as folder, folder.append_to(upload_id) as file:
            size_bytes = os.fstat(file.fileno()).st_size
            if size_bytes != offset:
                raise WrongOffsetError(size_bytes)
            rest = memoryview(part)
            try:
                while rest:
                    rest = rest[file.write(rest) :]
            except OSError:
                file.truncate(size_bytes)
                raise
            return size_bytes + len(part)

    def size_of(self, upload_id: str) -> int:
        with self._incoming() as folder:
            return folder.status(upload_id).st_size

    def arrived(self, upload_id: str) -> Arrived:
        """Bring the bytes to the disk, and hash them."""
        with self._incoming() as folder, folder.open(upload_id, MOST_FILE_BYTES) as file:
            os.fsync(file.fileno())
            start = file.read(START_BYTES)
            file.seek(0)
            return Arrived(_sha256(file), start)

    def remove(self, upload_id: str) -> None:
        with self._incoming() as folder:
            folder.remove(upload_id)

    def remove_all_but(self, upload_ids: set[str]) -> None:
        """What nobody knows of any more, for example after the file of the uploads was lost."""
        with self._incoming() as folder:
            for name in set(folder.names()) - upload_ids:
                folder.remove(name)

    # ---- what is stored ----

    def place(self, upload: Upload) -> Placed:
        """Give the picture its name in the folder of its class. upload: with its hash."""
        with self._incoming() as incoming, self._label(upload, make=True) as folder:
            for number in range(1, MOST_NUMBERS):
                name = upload.name if number == 1 else numbered(upload.name, number)
                try:
                    _give_name(incoming, upload.upload_id, folder, name)
                    folder.sync()
                    return Placed(name, is_duplicate=False)
                except FileExistsError:
                    if _has_content(folder, name, upload):
                        # If the same file has that name, an earlier try got as far as here.
                        own = folder.status(name).st_ino == incoming.status(upload.upload_id).st_ino
                        return Placed(name, is_duplicate=not own)
        raise FileExistsError(errno.EEXIST, "too many pictures have this name", upload.name)

    def has(self, upload: Upload) -> bool:
        """Whether a stored picture still lies where it was put, as far as its size tells."""
        name = upload.picture.rpartition("/")[2]
        with suppress(OSError), self._label(upload) as folder, folder.open(name, MOST_FILE_BYTES) as file:
            return os.fstat(file.fileno()).st_size == upload.size_bytes
        return False

    def count(self, user_id: str, project_id: str) -> dict[str, list[int]]:
        """The sizes of the pictures of each class, in the folder as it is now. {} if there is no folder."""
        found: dict[str, list[int]] = {}
        with suppress(FileNotFoundError), self._project(user_id, project_id) as project:
            for label in sorted(project.names()):
                if label.startswith(".") or worker_folder(("", label)):
                    continue
                with suppress(OSError), project.folder(label) as folder:
                    found[label] = _sizes_of_pictures(folder)
        return found

    @contextmanager
    def _incoming(self) -> Iterator[Directory]:
        with (
            Directory.at(self._root) as root,
            root.make_folder(UPLOADS) as uploads,
            uploads.make_folder(INCOMING) as incoming,
        ):
            yield incoming

    @contextmanager
    def _project(self, user_id: str, project_id: str, make: bool = False) -> Iterator[Directory]:
        with ExitStack() as stack:
            folder = stack.enter_context(Directory.at(self._root))
            for name in (UPLOADS, user_id, project_id):
                folder = stack.enter_context(folder.make_folder(name) if make else folder.folder(name))
            yield folder

    @contextmanager
    def _label(self, upload: Upload, make: bool = False) -> Iterator[Directory]:
        with (
            self._project(upload.user_id, upload.project_id, make) as project,
            project.make_folder(upload.label) if make else project.folder(upload.label) as folder,
        ):
            if make:
                project.sync()
            yield folder


def _give_name(incoming: Directory, upload_id: str, folder: Directory, name: str) -> None:
    """FileExistsError if the name is taken."""
    try:
        incoming.link_into(upload_id, folder, name)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with incoming.open(upload_id, MOST_FILE_BYTES) as source, folder.create(name) as copy:
            shutil.copyfileobj(source, copy, READ_BYTES)
            copy.flush()
            os.fsync(copy.fileno())


def _has_content(folder: Directory, name: str, upload: Upload) -> bool:
    with suppress(OSError), folder.open(name, upload.size_bytes) as file:
        if os.fstat(file.fileno()).st_size == upload.size_bytes:
            return _sha256(file) == upload.sha256
    return False


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while part := file.read(READ_BYTES):
        digest.update(part)
    return digest.hexdigest()


def _sizes_of_pictures(folder: Directory) -> list[int]:
    sizes = []
    with os.scandir(folder.fileno()) as entries:
        for number, entry in enumerate(entries):
            if number >= MOST_COUNTED:
                break
            if entry.is_file(follow_symlinks=False) and may_be_picture(entry.name):
                sizes.append(entry.stat(follow_symlinks=False).st_size)
    return sizes
