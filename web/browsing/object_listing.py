"""Lists a folder in object storage for a person who browses the data roots. Runs in a thread.

The same is left out as of a folder on a disk. It takes a request for each folder on a page to count what it holds, so
only the first objects are counted, and only for a bounded time.
"""

from __future__ import annotations

import heapq
import itertools
import time
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
from web.forecast.picture_counts import NOT_PICTURES

#: The most objects of one folder that are counted, which one request lists.
MOST_COUNTED = 1000
#: After this time, the contents of the folders that are left on the page are not counted.
COUNTING_S = 2.0
#: The most objects of a project that are counted for a forecast. A thousand take one request.
MOST_FORECAST = 20_000


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
    shown, ends_at_s = page[:limit], time.monotonic() + COUNTING_S
    others = sum(not is_litter_file(name) for name in sizes) - sum(key.rank for key in keys)
    return FolderListing(
        path=path,
        parent=None,
        folders=tuple(_counted(place, key.name, path, ends_at_s) for key in shown if not key.rank),
        pictures=tuple(
            ListedPicture(name=key.name, path=below(path, key.name), size_bytes=sizes[key.name])
            for key in shown
            if key.rank
        ),
        other_files=others,
        cut_off=False,
        next=cursor_of(shown[-1]) if len(page) > limit else "",
    )


def count_objects(project: StoredPlace) -> int:
    """Pictures in images/ and below; without that folder, those in the other folders of the project."""
    for name in ("images", ""):
        names = (info.name.removeprefix(project.file("")) for info in project.store.list(project.file(name)))
        counted = sum(_may_be_trained_on(each) for each in itertools.islice(names, MOST_FORECAST))
        if counted:
            return counted
    return 0


def _may_be_trained_on(name: str) -> bool:
    """name: in the project."""
    steps = name.split("/")
    is_hidden = any(step.startswith(".") for step in steps)
    return len(steps) > 1 and steps[0].lower() not in NOT_PICTURES and not is_hidden and may_be_picture(name)


def _counted(place: StoredPlace, name: str, path: str, ends_at_s: float) -> ListedFolder:
    """A folder on the page, with what lies in it directly among its first objects."""
    folder = place.file(name)
    names = []
    if time.monotonic() < ends_at_s:
        names = [
            info.name.removeprefix(f"{folder}/") for info in itertools.islice(place.store.list(folder), MOST_COUNTED)
        ]
    steps = folder.split("/")
    folders = {name.partition("/")[0] for name in names if "/" in name}
    return ListedFolder(
        name=name,
        path=below(path, name),
        pictures=sum("/" not in name and _is_picture(name) for name in names),
        folders=sum(_is_shown(folder, steps) for folder in folders),
        more=not names or len(names) == MOST_COUNTED,
    )


def _folder_keys(name: str, folders: Sequence[str]) -> Iterator[EntryKey]:
    """name: of the folder they lie in, relative to a data root."""
    steps = name.split("/") if name else []
    for folder in map(_last, folders):
        if _is_shown(folder, steps):
            yield EntryKey.of_folder(folder)


def _picture_keys(objects: Sequence[ObjectInfo]) -> Iterator[EntryKey]:
    for name in (_last(info.name) for info in objects):
        if _is_picture(name):
            yield EntryKey.of_picture(name)


def _is_shown(folder: str, steps: Sequence[str]) -> bool:
    """steps: the names from the data root down to the folder that it lies in."""
    return not (folder.startswith(".") or is_litter_folder(folder) or worker_folder((*steps, folder)))


def _is_picture(name: str) -> bool:
    return is_text(name) and not is_litter_file(name) and may_be_picture(name)


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]
