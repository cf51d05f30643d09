"""Project folders on the disks of this machine. They are reached by descriptors and through no link."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

from conf.posted_folder import open_posted_folder
from protocol.corrections import CorrectionsTable
from protocol.prediction import FolderPicture, ModelFile, Picture
from protocol.project_layout import worker_folder
from protocol.task import TaskSpec
from web.api.folders import FolderListing, ListedFolder
from web.browsing.folder_listing import list_folder, list_roots
from web.browsing.picture_on_disk import identity_of, status_at, status_in_project
from web.files.open_file import Content, OpenFile, Place
from web.folders.corrections_on_disk import change_table, read_table
from web.folders.folders import AtHand, Changes, Folders, Lent, NamedPicture, SeenPicture
from web.folders.found_folder import BadField, FoundFolder
from web.folders.path_hints import path_hint
from web.folders.threads import Threads
from web.forecast.picture_counts import count_pictures


class LocalFolders(Folders):
    answers_at_once = True

    def __init__(self, roots: Sequence[Path], threads: Threads, browsing: Threads, named: Sequence[str] = ()) -> None:
        """roots: absolute, with links resolved. named: all data roots, for messages."""
        self._roots = tuple(roots)
        self.threads, self.browsing = threads, browsing
        self._named = ", ".join(named or map(str, roots))

    def find(self, text: str) -> FoundFolder | BadField:
        return find_folder(text, self._roots, self._named)

    def count_pictures(self, path: str) -> int:
        return count_pictures(path)

    async def top(self) -> Sequence[ListedFolder]:
        return await self.browsing.run(list_roots, self._roots)

    def list(self, path: str, cursor: str, limit: int) -> FolderListing:
        return list_folder(path, self._roots, cursor, limit)

    def look(self, picture: NamedPicture) -> SeenPicture:
        if picture.spec is None:
            status = status_at(picture.name, self._roots)
        else:
            status = status_in_project(picture.spec, picture.name, self._roots)
        return SeenPicture(picture, identity_of(status), status.st_size)

    def read_corrections(self, path: str) -> CorrectionsTable:
        return read_table(path, self._roots)

    def change_corrections(self, path: str, changes: Changes) -> CorrectionsTable:
        return change_table(path, self._roots, changes)

    def size_of(self, spec: TaskSpec, place: Place) -> int:
        opened = open_file(spec, self._roots, place)
        opened.file.close()
        return opened.content.size_bytes

    def address_of(self, spec: TaskSpec, place: Place, size_bytes: int) -> str:
        return ""

    @contextlib.asynccontextmanager
    async def lent(self, spec: TaskSpec, place: Place) -> AsyncIterator[Lent]:
        yield _OnDisk(spec, self._roots, place)

    @contextlib.asynccontextmanager
    async def shown(self, seen: SeenPicture) -> AsyncIterator[FolderPicture]:
        yield FolderPicture(seen.named.name)

    @contextlib.asynccontextmanager
    async def at_hand(self, model: ModelFile, pictures: Sequence[Picture]) -> AsyncIterator[AtHand]:
        yield AtHand(model, pictures)


class _OnDisk(NamedTuple):
    spec: TaskSpec
    roots: tuple[Path, ...]
    place: Place

    def open(self) -> OpenFile:
        return open_file(self.spec, self.roots, self.place)


def open_file(spec: TaskSpec, allowed_roots: Sequence[Path], place: Place) -> OpenFile:
    """Open the file, one folder after the other and never through a link. Runs in a thread."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(open_posted_folder(spec, allowed_roots))
        for name in place.folders:
            folder = stack.enter_context(folder.folder(name))
        file = folder.open(place.name, place.most_bytes)
        return OpenFile(file, Content.of(file))


def find_folder(text: str, allowed_roots: Sequence[Path], named: str) -> FoundFolder | BadField:
    """Find the project folder inside an allowed root. A relative path is tried from each root.

    named: the data roots, for messages.
    """
    # Strings, because Path objects take too much of a POST's time (docs/choices.md, "What makes a POST cheap").
    prefixes = tuple(os.path.join(root, "") for root in allowed_roots)  # noqa: PTH118
    candidates = dict.fromkeys(os.path.join(prefix, text) for prefix in prefixes)  # noqa: PTH118
    # A root itself is not a project, not even if it lies inside another root: it holds the projects of many users.
    inside = [
        path for path in map(os.path.realpath, candidates) if path.startswith(prefixes) and f"{path}/" not in prefixes
    ]
    for path in inside:
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:  # it does not exist, or its name is too long for the system
            continue
        if stat.S_ISDIR(status.st_mode):
            root = max((prefix for prefix in prefixes if path.startswith(prefix)), key=len)
            if own := worker_folder(path[len(root) :].split("/")):
                return lies_in_worker_folder(text, own)
            return FoundFolder(path, text, status.st_dev, status.st_ino)
    if hint := path_hint(text):
        return BadField("projectDir", f"projectDir={text[:200]!r} {hint}.")
    if not inside:
        return lies_in_no_root(text, named)
    return missing_folder(text)


def lies_in_worker_folder(text: str, own: str) -> BadField:
    error = f"projectDir={text[:200]!r} lies in {own}/, where the worker keeps what belongs to a project"
    return BadField("projectDir", f"{error}; post the project's folder, or choose another name.")


def lies_in_no_root(text: str, named: str) -> BadField:
    """named: the data roots."""
    return BadField(
        "projectDir",
        f"projectDir={text[:200]!r} does not lie inside an allowed folder ({named}); "
        "move it there, or add its parent to [web] data_roots in conf/tfmodel.toml.",
        "project_dir_not_allowed",
    )


def missing_folder(text: str) -> BadField:
    return BadField("projectDir", f"projectDir={text[:200]!r} is not an existing folder; upload the photos first.")
