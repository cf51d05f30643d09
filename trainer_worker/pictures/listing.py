"""Finds the files of a folder that may be pictures, by their names and kinds, without opening any."""

from __future__ import annotations

import os
from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path

from trainer_worker.pictures.user_files import Entry, RefusedFileError, SkippedFile, UserFiles

#: Files that often lie in a folder but are not meant as pictures. All others may be pictures, even with no extension or
#: a wrong one, because the content decides.
LITTER_SUFFIXES = {
    ".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf",
    ".md", ".log", ".html", ".htm", ".py", ".pyc", ".ipynb", ".sh", ".bat", ".pdf", ".doc", ".docx", ".xls",
    ".xlsx", ".ppt", ".pptx", ".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".db", ".sqlite",
    ".lnk", ".url", ".exe", ".dll", ".so", ".tmp", ".part", ".crdownload", ".bak", ".lock", ".npy", ".npz",
    ".pkl", ".pickle", ".h5", ".hdf5", ".keras", ".tflite", ".pb", ".onnx", ".pt", ".pth", ".parquet",
    ".tfrecord", ".mp4", ".mov", ".avi", ".mkv", ".webm", ".mp3", ".wav", ".aae", ".xmp", ".thm", ".svg",
    ".ai", ".eps", ".ps",
}  # fmt: skip
LITTER_NAMES = {"__macosx", "thumbs.db", "desktop.ini", "ehthumbs.db", "@eadir", "readme", "license"}


@dataclass
class FoundPictures:
    """Files that may be pictures, sorted by path, and what was skipped: links out of the project, pipes, unreadable
    folders."""

    pictures: list[Path] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)


def find_images(files: UserFiles, folder: Path, recursive: bool = False, also: Set[str] = frozenset()) -> FoundPictures:
    """The files of a folder that may be pictures; none if there is no such folder. also: suffixes that are no litter.

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
            if is_litter(entry.name) and path.suffix.lower() not in also:
                continue
            if entry.kind == "folder":
                waiting += [path] if recursive else []
            elif reason := _why_no_picture(files, path, entry):
                found.skipped.append(SkippedFile(files.name_of(path), reason))
            else:
                found.pictures.append(path)
    found.pictures.sort()
    found.skipped.sort(key=lambda skip: skip.file)
    return found


def is_litter(name: str) -> bool:
    lower = name.lower()
    return (
        lower.startswith(".")
        or lower.endswith("~")
        or lower in LITTER_NAMES
        or os.path.splitext(lower)[1] in LITTER_SUFFIXES  # noqa: PTH122 - a name, and called for every file
    )


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
