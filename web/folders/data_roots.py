"""The data roots of this front-end. This is the only place that tells folders of this machine from object storage."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.project_url import is_project_url
from web.api.folders import FolderListing
from web.folders.folders import Folders
from web.folders.found_folder import BadField, FoundFolder


class DataRoots:
    def __init__(self, texts: Sequence[str], of_this_machine: Folders, of_storage: Folders) -> None:
        """texts: the data roots in their order."""
        self.texts = tuple(texts)
        self._of_this_machine, self._of_storage = of_this_machine, of_storage

    def of(self, path: str) -> Folders:
        """What has access to this path or URL."""
        return self._of_storage if is_project_url(path) else self._of_this_machine

    async def find(self, text: str, in_thread: bool = False) -> FoundFolder | BadField:
        """The folder that a projectDir names. in_thread: also where that is nearly always quick."""
        folders = self.of(text)
        if folders.answers_at_once and not in_thread:
            return folders.find(text)
        return await folders.threads.run(folders.find, text)

    async def top(self) -> FolderListing:
        """The data roots, as the folders at the top."""
        found = [*await self._of_this_machine.top(), *await self._of_storage.top()]
        folders = sorted(found, key=lambda root: self.texts.index(root.path))
        return FolderListing(
            path="", parent=None, folders=tuple(folders), pictures=(), other_files=0, cut_off=False, next=""
        )
