"""Lists a folder for a person who browses the data roots. The folder is a stranger's, and may have millions of entries.

Runs in a thread. What trainings would not use is left out: hidden files, folders of systems and programs, and what the
worker keeps in a project. Links are not followed, and count as other files.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from conf.directory import Directory
from conf.posted_folder import PostedFolderError, open_inside_roots, steps_below
from protocol.litter import is_litter_file, is_litter_folder, may_be_picture
from protocol.project_layout import worker_folder
from protocol.text import is_text
from web.api.folders import FolderListing, ListedFolder, ListedPicture

#: The most entries of a folder that are looked at. Sorting a million names takes about two seconds.
MOST_ENTRIES = 1_000_000
#: The most entries that are looked at to count what one folder on a page holds, and what all folders on it hold.
MOST_COUNTED = 10_000
MOST_COUNTED_OF_PAGE = 200_000
#: After this time, the contents of the folders that are left on the page are not counted.
COUNTING_S = 2.0


class EntryKey(NamedTuple):
    """The place of an entry in the order: folders first, then by name, whatever its capitals.

    rank: 0 for folders, 1 for pictures.
    """

    rank: int
    folded: str
    name: str

    @classmethod
    def of_folder(cls, name: str) -> EntryKey:
        return cls(0, name.casefold(), name)

    @classmethod
    def of_picture(cls, name: str) -> EntryKey:
        return cls(1, name.casefold(), name)


def cursor_of(key: EntryKey) -> str:
    """`next` of a page that ends with this entry."""
    return f"{key.rank}{key.name}"


def key_at(cursor: str) -> EntryKey | None:
    """The last entry of the page before; None for the first page."""
    if not cursor:
        return None
    return EntryKey.of_folder(cursor[1:]) if cursor[0] == "0" else EntryKey.of_picture(cursor[1:])


class _Budget:
    """How many entries may still be looked at to count the folders of a page, and until when."""

    def __init__(self) -> None:
        self.entries = MOST_COUNTED_OF_PAGE
        self.ends_at_s = time.monotonic() + COUNTING_S

    @property
    def is_used_up(self) -> bool:
        return self.entries <= 0 or time.monotonic() >= self.ends_at_s


def list_folder(path: str, roots: Sequence[Path], cursor: str, limit: int) -> FolderListing:
    """Return one page of a data root, or of a folder below one. `parent` of the page is None, for the caller to set.

    cursor: `next` of the page before; "" for the first page. Raises PostedFolderError and OSError.
    """
    after = key_at(cursor)
    with open_inside_roots(path, roots, or_root=True) as folder:
        steps = steps_below(path, roots)[1]
        listing = _Entries(folder, steps)
        page = heapq.nsmallest(limit + 1, (key for key in listing if after is None or key > after))
        shown, budget = page[:limit], _Budget()
        return FolderListing(
            path=path,
            parent=None,
            folders=tuple(_listed_folder(folder, path, steps, key.name, budget) for key in shown if not key.rank),
            pictures=tuple(_listed_picture(folder, path, key.name) for key in shown if key.rank),
            other_files=listing.other_files,
            cut_off=listing.cut_off,
            next=cursor_of(shown[-1]) if len(page) > limit else "",
        )


def list_roots(roots: Sequence[Path]) -> list[ListedFolder]:
    """The data roots that can be opened, as the folders at the top."""
    folders, budget = [], _Budget()
    for root in roots:
        with (
            contextlib.suppress(OSError, PostedFolderError),
            open_inside_roots(str(root), roots, or_root=True) as folder,
        ):
            folders.append(_counted(folder, (), root.name or str(root), str(root), budget))
    return folders


class _Entries:
    """The folders and pictures of a folder, in any order. It counts the other files while it is iterated."""

    def __init__(self, folder: Directory, steps: Sequence[str], most: int = MOST_ENTRIES) -> None:
        """steps: the names from a data root down to the folder."""
        self._folder, self._steps, self._most = folder, steps, most
        self.looked_at = 0
        self.other_files = 0
        self.cut_off = False

    def __iter__(self) -> Iterator[EntryKey]:
        with os.scandir(self._folder.fileno()) as entries:
            for entry in entries:
                if self.looked_at >= self._most:
                    self.cut_off = True
                    return
                self.looked_at += 1
                if (key := self._key(entry)) is not None:
                    yield key

    def _key(self, entry: os.DirEntry[str]) -> EntryKey | None:
        name = entry.name
        if not is_text(name):
            self.other_files += 1
        elif entry.is_dir(follow_symlinks=False):
            if not (name.startswith(".") or is_litter_folder(name) or worker_folder((*self._steps, name))):
                return EntryKey.of_folder(name)
        elif is_litter_file(name):
            return None
        elif entry.is_file(follow_symlinks=False) and may_be_picture(name):
            return EntryKey.of_picture(name)
        else:
            self.other_files += 1
        return None


def _listed_folder(folder: Directory, path: str, steps: Sequence[str], name: str, budget: _Budget) -> ListedFolder:
    below = os.path.join(path, name)  # noqa: PTH118 - text, as it came
    if not budget.is_used_up:
        with contextlib.suppress(OSError), folder.folder(name) as opened:
            return _counted(opened, (*steps, name), name, below, budget)
    return ListedFolder(name=name, path=below, pictures=0, folders=0, more=True)


def _counted(folder: Directory, steps: Sequence[str], name: str, path: str, budget: _Budget) -> ListedFolder:
    entries = _Entries(folder, steps, min(MOST_COUNTED, budget.entries))
    ranks = [key.rank for key in entries]
    budget.entries -= entries.looked_at
    return ListedFolder(
        name=name, path=path, pictures=sum(ranks), folders=len(ranks) - sum(ranks), more=entries.cut_off
    )


def _listed_picture(folder: Directory, path: str, name: str) -> ListedPicture:
    try:
        size_bytes = folder.status(name).st_size
    except OSError:  # removed a moment ago
        size_bytes = 0
    return ListedPicture(name=name, path=os.path.join(path, name), size_bytes=size_bytes)  # noqa: PTH118
