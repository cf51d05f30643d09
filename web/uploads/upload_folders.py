"""The files of the uploads: parts that have arrived, and the pictures of the projects that are made of them.

    <first data root>/uploads/.incoming/<uploadId>.<run of the machine>     what has arrived of a picture
    <first data root>/uploads/<userId>/<projectId>/<label>/<name>           a stored picture

Parts are not synced when they arrive. After a power cut a file may have its full size and yet lack some of them, so
what arrived before the machine was started again is not used.

Other programs may change these folders at any moment. Everything is reached by descriptors from the data root down, so
no link is followed, and no file is written over.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from conf.directory import Directory
from conf.machine import running_system
from protocol.litter import may_be_picture
from protocol.picture_kinds import START_BYTES
from protocol.project_layout import worker_folder
from protocol.text import is_text
from web.uploads.upload_names import UPLOADS, numbered
from web.uploads.upload_store import Total, Upload

INCOMING = ".incoming"
MOST_FILE_BYTES = 1024**3
#: Names that are tried for a picture whose name is taken.
MOST_NUMBERS = 10_000
READ_BYTES = 1024**2
#: How many entries of a project are looked at to count its pictures. The folder may have been filled by others.
MOST_COUNTED = 1_000_000
#: The errors of a file system on which a file can't have two names.
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

    def __init__(self, root: Path, system: str = "") -> None:
        """root: the data root, with links resolved. system: names this run of the machine; "" to find that out."""
        self._root = root
        self._system = hashlib.sha256((system or running_system()).encode()).hexdigest()[:16]

    def path_of(self, user_id: str, project_id: str) -> Path:
        return self._root / UPLOADS / user_id / project_id

    # ---- what has arrived ----

    def create(self, upload_id: str) -> None:
        with self._incoming() as folder:
            folder.create(self._part(upload_id)).close()

    def append(self, upload_id: str, offset: int, part: bytes) -> int:
        """Add a part, all of it or nothing, and return how many bytes have arrived. Raises WrongOffsetError."""
        with self._incoming() as folder, folder.append_to(self._part(upload_id)) as file:
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
            return folder.status(self._part(upload_id)).st_size

    def arrived(self, upload_id: str) -> Arrived:
        """Bring the bytes to the disk, and hash them."""
        with self._incoming() as folder, folder.open(self._part(upload_id), MOST_FILE_BYTES) as file:
            os.fsync(file.fileno())
            start = file.read(START_BYTES)
            file.seek(0)
            return Arrived(_sha256(file), start)

    def remove(self, upload_id: str) -> None:
        with self._incoming() as folder:
            folder.remove(self._part(upload_id))

    def remove_all_but(self, upload_ids: set[str]) -> None:
        """Remove parts of uploads that nobody knows or that came before the machine was started again."""
        with self._incoming() as folder:
            for name in set(folder.names()) - set(map(self._part, upload_ids)):
                folder.remove(name)

    # ---- what is stored ----

    def place(self, upload: Upload) -> Placed:
        """Give the picture its name in the folder of its class. upload: its sha256 is known."""
        with self._incoming() as incoming, self._label(upload, make=True) as folder:
            for number in range(1, MOST_NUMBERS):
                name = upload.name if number == 1 else numbered(upload.name, number)
                try:
                    _give_name(incoming, self._part(upload.upload_id), folder, name)
                    folder.sync()
                    return Placed(name, is_duplicate=False)
                except FileExistsError:
                    if _has_content(folder, name, upload):
                        # If the same file has that name, an earlier try got as far as here.
                        own = folder.status(name).st_ino == incoming.status(self._part(upload.upload_id)).st_ino
                        return Placed(name, is_duplicate=not own)
        raise FileExistsError(errno.EEXIST, "too many pictures have this name", upload.name)

    def has(self, upload: Upload) -> bool:
        """Whether a picture of the same size still lies where the stored picture was put."""
        name = upload.picture.rpartition("/")[2]
        with suppress(OSError), self._label(upload) as folder, folder.open(name, MOST_FILE_BYTES) as file:
            return os.fstat(file.fileno()).st_size == upload.size_bytes
        return False

    def count(self, user_id: str, project_id: str, most: int = MOST_COUNTED) -> dict[str, Total]:
        """The pictures of each class, in the folder as it is now. It is empty if there is no folder.

        most: after so many entries, no more pictures are counted and no more classes are named.
        """
        found: dict[str, Total] = {}
        with suppress(FileNotFoundError), self._below((UPLOADS, user_id, project_id), make=False) as project:
            for label in sorted(project.names()):
                if label.startswith(".") or worker_folder(("", label)) or not is_text(label):
                    continue
                with suppress(OSError), project.folder(label) as folder:
                    looked_at, found[label] = _pictures_in(folder, most)
                    most -= looked_at
                if most <= 0:
                    break
        return found

    def _part(self, upload_id: str) -> str:
        return f"{upload_id}.{self._system}"

    def _incoming(self) -> AbstractContextManager[Directory]:
        return self._below((UPLOADS, INCOMING), make=True)

    def _label(self, upload: Upload, make: bool = False) -> AbstractContextManager[Directory]:
        return self._below((UPLOADS, upload.user_id, upload.project_id, upload.label), make)

    @contextmanager
    def _below(self, steps: Sequence[str], make: bool) -> Iterator[Directory]:
        """The folder at the end of these steps from the data root.

        make: create the folders that are missing.
        """
        with ExitStack() as stack:
            folder = stack.enter_context(Directory.at(self._root))
            for name in steps:
                folder = stack.enter_context(folder.make_folder(name) if make else folder.folder(name))
            yield folder


def _give_name(incoming: Directory, part: str, folder: Directory, name: str) -> None:
    """Raises FileExistsError if the name is taken."""
    try:
        incoming.link_into(part, folder, name)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with incoming.open(part, MOST_FILE_BYTES) as source, folder.create(name) as copy:
            try:
                shutil.copyfileobj(source, copy, READ_BYTES)
                copy.flush()
                os.fsync(copy.fileno())
            except OSError:
                folder.remove(name)  # half a picture must not stay in the project
                raise


def _has_content(folder: Directory, name: str, upload: Upload) -> bool:
    with suppress(OSError), folder.open(name, upload.size_bytes) as file:
        if os.fstat(file.fileno()).st_size == upload.size_bytes:
            return _sha256(file) == upload.sha256
    return False


def _sha256(file: BinaryIO) -> str:
    # The type BinaryIO does not say that files have readinto().
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _pictures_in(folder: Directory, most: int) -> tuple[int, Total]:
    """How many entries were looked at, most of them at the most, and the pictures among them."""
    looked_at = pictures = size_bytes = 0
    with os.scandir(folder.fileno()) as entries:
        for entry in itertools.islice(entries, most):
            looked_at += 1
            if entry.is_file(follow_symlinks=False) and may_be_picture(entry.name):
                pictures += 1
                size_bytes += entry.stat(follow_symlinks=False).st_size
    return looked_at, Total(pictures, size_bytes)
