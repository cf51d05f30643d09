"""The pictures of uploaded projects below a data root on this machine.

    <first data root>/uploads/.incoming/<uploadId>.<run of the machine>     what has arrived of a picture
    <first data root>/uploads/<userId>/<projectId>/<label>/<name>           a stored picture

Parts are not synced when they arrive. After a power cut a file may have its full size and yet lack some of them, so
what arrived before the machine was started again is not used.

Other programs may change these folders at any moment. Everything is reached by descriptors from the data root down, so
no link is followed, and no file is written over.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from conf.directory import Directory
from protocol.litter import may_be_picture
from protocol.project_layout import worker_folder
from protocol.text import is_text
from web.uploads.incoming import MOST_FILE_BYTES, Incoming, opened_below, sha256_of
from web.uploads.upload_names import UPLOADS, numbered
from web.uploads.upload_store import Total, Upload
from web.uploads.uploaded_pictures import MOST_COUNTED, MOST_NUMBERS, Placed, UploadedPictures

INCOMING = ".incoming"
READ_BYTES = 1024**2
#: The errors of a file system on which a file can't have two names.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK, errno.ENOSYS)


class UploadFolders(UploadedPictures):
    """All methods raise OSError."""

    def __init__(self, root: Path, system: str = "") -> None:
        """root: the data root, with links resolved. system: names this run of the machine; "" to find that out."""
        self._root = root
        self.incoming = Incoming(root, (UPLOADS, INCOMING), system)

    def path_of(self, user_id: str, project_id: str) -> str:
        return str(self._root / UPLOADS / user_id / project_id)

    def place(self, upload: Upload) -> Placed:
        with self.incoming.folder() as incoming, self._label(upload, make=True) as folder:
            part = self.incoming.name_of(upload.upload_id)
            for number in range(1, MOST_NUMBERS):
                name = upload.name if number == 1 else numbered(upload.name, number)
                try:
                    _give_name(incoming, part, folder, name)
                    folder.sync()
                    return Placed(name, is_duplicate=False)
                except FileExistsError:
                    if _has_content(folder, name, upload):
                        # If the same file has that name, an earlier try got as far as here.
                        own = folder.status(name).st_ino == incoming.status(part).st_ino
                        return Placed(name, is_duplicate=not own)
        raise FileExistsError(errno.EEXIST, "too many pictures have this name", upload.name)

    def has(self, upload: Upload) -> bool:
        name = upload.picture.rpartition("/")[2]
        with suppress(OSError), self._label(upload) as folder, folder.open(name, MOST_FILE_BYTES) as file:
            return os.fstat(file.fileno()).st_size == upload.size_bytes
        return False

    def count(self, user_id: str, project_id: str, most: int = MOST_COUNTED) -> dict[str, Total]:
        found: dict[str, Total] = {}
        with suppress(FileNotFoundError), opened_below(self._root, (UPLOADS, user_id, project_id)) as project:
            for label in sorted(project.names()):
                if label.startswith(".") or worker_folder(("", label)) or not is_text(label):
                    continue
                with suppress(OSError), project.folder(label) as folder:
                    looked_at, found[label] = _pictures_in(folder, most)
                    most -= looked_at
                if most <= 0:
                    break
        return found

    def _label(self, upload: Upload, make: bool = False) -> AbstractContextManager[Directory]:
        return opened_below(self._root, (UPLOADS, upload.user_id, upload.project_id, upload.label), make)


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
            return sha256_of(file) == upload.sha256
    return False


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
