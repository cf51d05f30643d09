"""`/v1/thumbnails` and `/v1/tasks/{taskId}/pictures/{name}`: small copies of pictures, by path or of a task's folder.

The front-end only looks at the file's status. A runtime process, with limits on memory and time, opens the picture.
"""

from __future__ import annotations

import contextlib

from conf.posted_folder import PostedFolderError
from protocol.prediction import PictureRefused, ThumbnailAnswer, Thumbnails
from web.answers.refusal import Refusal
from web.browsing.picture_on_disk import etag_of_thumbnail, no_picture
from web.browsing.visible_folders import VisibleFolders
from web.calls.abandonable import AbandonableHandler
from web.calls.file_answer import FileHandler
from web.files.byte_range import is_known
from web.folders.folders import Folders, NamedPicture, SeenPicture

#: How long a browser shows a picture again without asking. Later it asks with the ETag, so nothing is decoded again.
MAX_AGE_S = 300


class PictureHandler(FileHandler, AbandonableHandler):
    """The base of both calls."""

    async def show(self, folders: Folders, picture: NamedPicture) -> None:
        """Send the thumbnail of a picture. folders: what has access to it."""
        side_px: int = self.query.size
        try:
            seen = await folders.browsing.run(folders.look, picture)
        except (PostedFolderError, OSError, ValueError) as error:
            raise no_picture(picture.name, error) from error
        etag = etag_of_thumbnail(seen, side_px)
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
            answer = await self.while_caller_waits(self._thumbnail(folders, seen, side_px))
            if isinstance(answer, PictureRefused):
                raise Refusal(answer.code, answer.error)
            jpeg = answer.jpeg
            self.services.thumbnails.put(etag, jpeg)
        self.set_file_headers(headers)
        self.finish(jpeg)  # A caller that has gone is no error.

    async def _thumbnail(self, folders: Folders, seen: SeenPicture, side_px: int) -> ThumbnailAnswer:
        async with contextlib.AsyncExitStack() as stack:
            try:
                picture = await stack.enter_async_context(folders.shown(seen))
            except OSError as error:
                raise no_picture(seen.named.name, error) from error
            return await self.services.runtimes.thumbnail(Thumbnails(side_px, seen.named.spec), picture)


class ThumbnailHandler(PictureHandler):
    """GET sends a small copy of a picture below the data roots."""

    async def get(self) -> None:
        path, roots = self.query.path, self.services.roots
        VisibleFolders(roots.texts, self.caller).checked(path)
        await self.show(roots.of(path), NamedPicture(path))


class TaskPictureHandler(PictureHandler):
    """GET sends a small copy of a picture in the project folder of a task."""

    async def get(self, task_id: str, name: str) -> None:
        spec = (await self.find(task_id)).task.spec
        await self.show(self.services.roots.of(spec.project_path), NamedPicture(name, spec))
