"""The uploads of this front-end: a desk in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from conf.data_roots import Root
from conf.settings import Settings
from protocol.errors import is_disk_full
from protocol.project_url import ProjectUrl
from web.answers.limits import upload_limits
from web.answers.refusal import Refusal
from web.figures.free_space import free_space_mb
from web.folders.object_stores import ObjectStores
from web.own_thread import OwnThread
from web.uploads.incoming import Incoming
from web.uploads.upload_desk import UploadDesk
from web.uploads.upload_folders import UploadFolders
from web.uploads.upload_objects import UploadObjects
from web.uploads.upload_store import UploadStore
from web.uploads.uploaded_pictures import UploadedPictures

log = logging.getLogger("web")

#: How long a caller waits for the disk. A part may still be added after that, so the caller asks how far the upload is.
TIMEOUT_S = 10.0

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Uploads:
    """Whether pictures may be uploaded, and the desk that takes them."""

    def __init__(self, settings: Settings, stores: ObjectStores) -> None:
        """stores: of the data roots in object storage."""
        self.limits = upload_limits(settings.web)
        root = settings.web.roots()[0]
        min_free_mb = settings.web.min_free_mb

        def make_desk() -> UploadDesk:
            store = UploadStore(settings.upload_file)
            pictures = _pictures_below(root, settings, stores)
            disk = pictures.incoming.root
            return UploadDesk(store, pictures, self.limits, lambda: free_space_mb(disk), min_free_mb)

        self._root = root
        self._thread = OwnThread("uploads", make_desk)

    async def call(
        self, method: Callable[Concatenate[UploadDesk, Given], Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Call a method of the desk. Raises Refusal, also for every error of the disk."""
        if not self.limits.enabled:
            raise Refusal(
                "uploads_off",
                "This server takes no uploads ([web] uploads is false); put the pictures into a data root.",
            )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await asyncio.shield(self._thread.call(method, *args, **kwargs))
        except (OSError, sqlite3.Error) as error:  # TimeoutError is an OSError
            log.error("action=upload.failed root=%s error=%r", self._root, str(error) or type(error).__name__)
            raise _unavailable(error) from error

    def close(self) -> None:
        self._thread.close()


def _pictures_below(root: Root, settings: Settings, stores: ObjectStores) -> UploadedPictures:
    """root: the first data root."""
    if not isinstance(root, ProjectUrl):
        return UploadFolders(root)
    return UploadObjects(root, stores, Incoming(settings.home, ("var", "uploads-incoming")))


def _unavailable(error: Exception) -> Refusal:
    if is_disk_full(error):
        return Refusal("disk_nearly_full", "The disk is full where uploads lie; free some space and upload it again.")
    if isinstance(error, TimeoutError):
        why = "the disk does not answer in time"
    elif isinstance(error, NotADirectoryError) or "symbolic links" in str(error):
        why = "a folder on the way to the picture is a link or a file, and uploads follow no link"
    else:
        why = "the server can't read or write its folder of uploads"
    return Refusal(
        "uploads_unavailable",
        f"The picture can't be stored now, because {why}; try again in a moment, and tell the operator if it happens "
        "again. The reason is in the server's log.",
    )
