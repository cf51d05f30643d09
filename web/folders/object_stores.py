"""Which data root in object storage a URL lies below, and the store that reaches it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from conf.posted_folder import Obstacle, PostedFolderError
from conf.storage_settings import StorageSettings
from protocol.project_layout import worker_folder
from protocol.project_url import ProjectUrl, lies_below, steps_below
from storage.object_store import ObjectStore, open_store

#: After this long, a request to the storage is tried again or given up, because a caller waits for the answer.
TIMEOUT_S = 5.0
#: How often such a request is tried again. Callers may call again themselves.
RETRIES = 1


class StoredPlace(NamedTuple):
    """A folder or object below a data root. name: relative to the store of that root."""

    store: ObjectStore
    name: str

    def file(self, path: str) -> str:
        """The name of what lies at a path below this folder."""
        return f"{self.name}/{path}" if self.name else path


class ObjectStores:
    """One store for each data root. Calls may come from several threads."""

    def __init__(self, roots: Sequence[ProjectUrl], settings: StorageSettings) -> None:
        self.roots = list(roots)
        #: How long signed URLs are valid; 0.0 if files are sent by the front-end.
        self.signed_for_s = settings.signed_url_ttl_s if settings.serve == "signed" else 0.0
        self._settings = msgspec.structs.replace(settings, timeout_s=min(settings.timeout_s, TIMEOUT_S))
        self._stores: dict[ProjectUrl, ObjectStore] = {}
        self._lock = threading.Lock()

    def place(self, text: str, or_root: bool = False) -> StoredPlace:
        """Where a URL leads. or_root: whether it may be a data root itself.

        Raises PostedFolderError for one below no data root, or in a folder of the worker; StorageError where the
        store can't be opened.
        """
        try:
            url = ProjectUrl.parse_root(text)
        except ValueError as error:
            raise PostedFolderError(Obstacle.OUTSIDE_ROOTS) from error
        above = [root for root in self.roots if lies_below(url, root, or_root)]
        if not above:
            raise PostedFolderError(Obstacle.OUTSIDE_ROOTS)
        root = max(above, key=lambda root: len(root.prefix))
        steps = steps_below(url, root) or ()
        if inside := worker_folder(steps):
            raise PostedFolderError(Obstacle.OF_THE_WORKER, inside)
        return StoredPlace(self.store(root), "/".join(steps))

    def store(self, root: ProjectUrl) -> ObjectStore:
        """The store of a data root. Raises StorageError if it can't be opened."""
        with self._lock:
            if root not in self._stores:
                self._stores[root] = open_store(root, self._settings, RETRIES)
            return self._stores[root]
