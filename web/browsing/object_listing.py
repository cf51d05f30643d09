"""Lists a folder in object storage for a person who browses the data roots. Runs in a thread.

The same is left out as of a folder on a disk. What the folders on a page hold is not counted: it would take a request
for each of them.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from conf.posted_folder import Obstacle, PostedFolderError
from protocol.litter import is_litter_file, is_litter_folder, may_be_picture
from protocol.project_layout import worker_folder
from protocol.text import is_text
from storage.object_store import ObjectInfo
from web.api.folders import FolderListing, ListedFolder, ListedPicture
from web.browsing.folder_listing import EntryKey, cursor_of, key_at
from web.folders.object_stores import StoredPlace
from web.folders.plain_places import below


def list_objects(place: StoredPlace, path: str, cursor: str, limit: int) -> FolderListing:
    """One page of a folder. path: its URL. cursor: `next` of the page before.

    Raises StorageError, and PostedFolderError if nothing lies there.
    """
    folders, objects = place.store.list_folder(place.name)
    if place.name and not folders and not objects:
        raise PostedFolderError(Obstacle.MISSING)
    sizes = {_last(info.name): info.size_bytes for info in objects}
    keys = [*_folder_keys(place.name, folders), *_picture_keys(objects)]
    after = key_at(cursor)
    page = heapq.nsmallest(limit + 1, (key for key in keys if after is None or key > after))
    shown = page[:limit]
    others = sum(not is_litter_file(name) for name in sizes) - sum(key.rank for key in keys)
    return FolderListing(
        path=path,
        parent=None,
        folders=tuple(
            ListedFolder(name=key.name, path=below(path, key.name), pictures=0, folders=0, more=True)
            for key in shown
            if not key.rank
        ),
        pictures=tuple(
            ListedPicture(name=key.name, path=below(path, key.name), size_bytes=sizes[key.name])
            for key in shown
            if key.rank
        ),
        other_files=others,
        cut_off=False,
        next=cursor_of(shown[-1]) if len(page) > limit else "",
    )


def _folder_keys(name: str, folders: Sequence[str]) -> Iterator[EntryKey]:
    """name: of the folder they lie in, relative to a data root."""
    steps = name.split("/") if name else []
    for folder in map(_last, folders):
        if not (folder.startswith(".") or is_litter_folder(folder) or worker_folder((*steps, folder))):
            yield EntryKey.of_folder(folder)


def _picture_keys(objects: Sequence[ObjectInfo]) -> Iterator[EntryKey]:
    for name in (_last(info.name) for info in objects):
        if is_text(name) and not is_litter_file(name) and may_be_picture(name):
            yield EntryKey.of_picture(name)


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]
