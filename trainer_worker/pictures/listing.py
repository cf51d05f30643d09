"""Finds the files of a folder that may be pictures, by their names and kinds, without opening any."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from trainer_worker.pictures.litter import is_litter_folder, may_be_picture
from trainer_worker.pictures.user_files import Entry, RefusedFileError, SkippedFile, UserFiles


@dataclass
class FoundPictures:
    """Files that may be pictures, sorted by path, and what was skipped: links out of the project, pipes, unreadable
    folders."""

    pictures: list[Path] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)


def find_images(files: UserFiles, folder: Path, recursive: bool = False) -> FoundPictures:
    """The files of a folder that may be pictures; none if there is no such folder.

    Hidden files, `__MACOSX`, `Thumbs.db`, texts, archives and the like are left out. Links to files of the project are
    followed. Links to folders are not, so there are no endless loops.
    """
    found = FoundPictures()
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            entries = files.entries(here)
        except RefusedFileError as refused:
            if not (here == folder and refused.missing):
                found.skipped.append(SkippedFile(files.name_of(here), refused.reason))
            continue
        for entry in entries:
            path = here / entry.name
            if entry.kind == "folder":
                ignored = entry.name.startswith(".") or is_litter_folder(entry.name)
                waiting += [path] if recursive and not ignored else []
            elif is_litter_folder(entry.name) or not may_be_picture(entry.name):
                continue
            elif reason := _why_no_picture(files, path, entry):
                found.skipped.append(SkippedFile(files.name_of(path), reason))
            else:
                found.pictures.append(path)
    found.pictures.sort()
    found.skipped.sort(key=lambda skip: skip.file)
    return found


def _why_no_picture(files: UserFiles, path: Path, entry: Entry) -> str:
    """The reason in words; "" for a file, or for a link to one."""
    kind = entry.kind
    if kind == "link":
        try:
            kind = files.find(path).kind
        except RefusedFileError as refused:
            return refused.reason
    if kind == "folder":
        return "it is a link to a folder, and those are not followed; put the folder itself there"
    return "it is a pipe, a socket or a device" if kind == "other" else ""
