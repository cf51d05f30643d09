"""The pictures of uploaded projects below a data root in object storage.

    <home>/var/uploads-incoming/<uploadId>                           what has arrived of a picture, on this machine
    <first data root>/uploads/<userId>/<projectId>/<label>/<name>    a stored picture

A picture is put when all of it has arrived, and only if there is no object of that name.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence

from protocol.litter import may_be_picture
from protocol.project_layout import worker_folder
from protocol.project_url import ProjectUrl
from protocol.text import is_text
from storage.errors import ConflictError
from storage.object_store import ObjectStore
from web.answers.refusal import Refusal
from web.folders.object_stores import ObjectStores
from web.folders.plain_places import below
from web.folders.storage_answers import told
from web.uploads.incoming import Incoming
from web.uploads.upload_names import UPLOADS, numbered
from web.uploads.upload_store import Total, Upload
from web.uploads.uploaded_pictures import MOST_NUMBERS, Placed, UploadedPictures

#: How many objects of a project are looked at to count its pictures. A thousand take one request.
MOST_COUNTED_OBJECTS = 20_000


class UploadObjects(UploadedPictures):
    def __init__(self, root: ProjectUrl, stores: ObjectStores, incoming: Incoming) -> None:
        """root: the first data root."""
        self._root = root
        self._stores = stores
        self.incoming = incoming

    def path_of(self, user_id: str, project_id: str) -> str:
        text = below(str(self._root), UPLOADS, user_id, project_id)
        try:
            return str(ProjectUrl.parse(text))
        except ValueError as error:
            words = f"userId and projectId can't be parts of a URL in object storage: {error}"
            raise Refusal("bad_fields", words, fields={"projectId": words}) from error

    def place(self, upload: Upload) -> Placed:
        store, path = self._store(), self.incoming.path_of(upload.upload_id)
        for number in range(1, MOST_NUMBERS):
            name = upload.name if number == 1 else numbered(upload.name, number)
            with told():
                try:
                    store.put(_folder(upload) + name, path, if_absent=True)
                    return Placed(name, is_duplicate=False)
                except ConflictError:
                    if _has_content(store, _folder(upload) + name, upload):
                        return Placed(name, is_duplicate=True)
        raise FileExistsError(f"too many pictures have the name {upload.name}")

    def has(self, upload: Upload) -> bool:
        name = upload.picture.rpartition("/")[2]
        with told():
            info = self._store().status(_folder(upload) + name)
        return info is not None and info.size_bytes == upload.size_bytes

    def gone(self, uploads: Sequence[Upload]) -> list[Upload]:
        """One listing tells of all of them, where `has` would take a request for each."""
        if not uploads:
            return []
        with told():
            there = {(label, name) for label, name, _ in self._objects(uploads[0].user_id, uploads[0].project_id)}
        return [each for each in uploads if (each.label, each.picture.rpartition("/")[2]) not in there]

    def count(self, user_id: str, project_id: str, most: int = MOST_COUNTED_OBJECTS) -> dict[str, Total]:
        found: dict[str, Total] = {}
        with told():
            for label, name, size_bytes in itertools.islice(self._objects(user_id, project_id), most):
                before = found.setdefault(label, Total(0, 0))
                if may_be_picture(name):
                    found[label] = Total(before.pictures + 1, before.size_bytes + size_bytes)
        return dict(sorted(found.items()))

    def _objects(self, user_id: str, project_id: str) -> Iterator[tuple[str, str, int]]:
        """Class, name and size of each object that lies where pictures are put."""
        project = f"{UPLOADS}/{user_id}/{project_id}/"
        for info in self._store().list(project):
            label, _, name = info.name.removeprefix(project).partition("/")
            is_of_a_class = bool(name) and "/" not in name and not label.startswith(".")
            if is_of_a_class and is_text(label) and not worker_folder(("", label)):
                yield label, name, info.size_bytes

    def _store(self) -> ObjectStore:
        return self._stores.store(self._root)


def _folder(upload: Upload) -> str:
    """The folder of the class of a picture, relative to the data root, with a slash at its end."""
    return "/".join((UPLOADS, upload.user_id, upload.project_id, upload.label, ""))


def _has_content(store: ObjectStore, name: str, upload: Upload) -> bool:
    info = store.status(name)
    if info is None or info.size_bytes != upload.size_bytes:
        return False
    return hashlib.sha256(store.get(name)).hexdigest() == upload.sha256
