"""`/v1/thumbnails` and `/v1/tasks/{taskId}/pictures/{name}`: small copies of pictures, by path or of a task's folder.

The front-end only looks at the file's status. A runtime process, with limits on memory and time, opens the picture.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable

from conf.posted_folder import PostedFolderError
from protocol.prediction import PictureRefused, Thumbnails
from web.answers.refusal import Refusal
from web.browsing.picture_on_disk import etag_of_thumbnail, no_picture, status_at, status_in_project
from web.browsing.visible_folders import VisibleFolders
from web.calls.abandonable import AbandonableHandler
from web.calls.file_answer import FileHandler
from web.files.byte_range import is_known

#: How long a browser shows a picture again without asking. Later it asks with the ETag, so nothing is decoded again.
MAX_AGE_S = 300


class PictureHandler(FileHandler, AbandonableHandler):
    """The base of both calls."""

    async def show(self, work: Thumbnails, name: str, looking: Awaitable[os.stat_result]) -> None:
        """Send the thumbnail of a picture. looking: gives the status of its file."""
        etag = etag_of_thumbnail(await self._status(name, looking), work.side_px)
        headers = {
            "Content-Type": "image/jpeg",
            "ETag": etag,
            "Cache-Control": f"private, max-age={MAX_AGE_S}",
            "Vary": "Authorization, Cookie",
        }
        if is_known(self.request.headers.get("If-None-Match", ""), etag):
            self.set_file_headers(headers)
            self.send_not_modified(etag)
            return
        jpeg = self.services.thumbnails.get(etag)
        if jpeg is None:
            answer = await self.while_caller_waits(self.services.runtimes.thumbnail(work, name))
            if isinstance(answer, PictureRefused):
                raise Refusal(answer.code, answer.error)
            jpeg = answer.jpeg
            self.services.thumbnails.put(etag, jpeg)
        self.set_file_headers(headers)
        self.finish(jpeg)  # A caller that has gone is no error.

    async def _status(self, name: str, looking: Awaitable[os.stat_result]) -> os.stat_result:
        try:
            return await looking
        except (PostedFolderError, OSError, ValueError) as error:
            raise no_picture(name, error) from error


class ThumbnailHandler(PictureHandler):
    """GET sends a small copy of a picture below the data roots."""

    async def get(self) -> None:
        path, roots = self.query.path, self.services.allowed_roots
        VisibleFolders(roots, self.caller).check(path)
        looking = self.services.browsed.run(status_at, path, roots)
        await self.show(Thumbnails(self.query.size), path, looking)


class TaskPictureHandler(PictureHandler):
    """GET sends a small copy of a picture in the project folder of a task."""

    async def get(self, task_id: str, name: str) -> None:
        spec = (await self.find(task_id)).task.spec
        looking = self.services.browsed.run(status_in_project, spec, name, self.services.allowed_roots)
        await self.show(Thumbnails(self.query.size, spec), name, looking)
