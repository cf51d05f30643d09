"""`/v1/folders`: what lies below the data roots, for a person who chooses a folder."""

from __future__ import annotations

import msgspec

from conf.posted_folder import PostedFolderError
from web.answers.refusal import Refusal
from web.api.folders import FolderListing
from web.browsing.visible_folders import VisibleFolders, no_folder
from web.json_handler import JsonHandler

NOTHING = FolderListing(path="", parent=None, folders=(), pictures=(), other_files=0, cut_off=False, next="")


class FoldersHandler(JsonHandler):
    """GET lists a folder, page by page."""

    async def get(self) -> None:
        visible = VisibleFolders(self.services.roots.texts, self.caller)
        path = visible.checked(self.query.path) if self.query.path else visible.top
        try:
            listing = await self._listing(path, visible)
        except PostedFolderError as error:
            if self.query.path:
                raise no_folder(path, error) from error
            listing = NOTHING  # nothing was uploaded yet
        except OSError as error:
            reason = "its disk does not answer in time" if isinstance(error, TimeoutError) else str(error.strerror)
            raise Refusal(
                "file_unreadable", f"The folder can't be read now ({reason}); try again in a moment."
            ) from error
        self.send(msgspec.structs.replace(listing, parent=visible.parent(listing.path)))

    async def _listing(self, path: str, visible: VisibleFolders) -> FolderListing:
        if visible.has_none:
            return NOTHING
        if not path:
            return await self.services.roots.top()
        folders, query = self.services.roots.of(path), self.query
        return await folders.browsing.run(folders.list, path, query.cursor, query.limit)
