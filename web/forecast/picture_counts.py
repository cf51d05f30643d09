"""Estimates how many pictures a project folder holds, by the names of files.

Only the trainer, which opens them, counts exactly. A text file among a hundred photos does not change a forecast. The
folder is a stranger's: it is walked by descriptor, no link is followed, and the walk is bounded.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator

#: The walk ends after this many files and folders.
MOST_ENTRIES = 200_000
#: Levels of folders that are entered. Each keeps a descriptor open, and connections need some too.
MOST_LEVELS = 20
#: In the project folder itself these hold no pictures to train on.
NOT_PICTURES = frozenset({"models", "masks", "labels", "__macosx"})
FOLDER_ONLY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def count_pictures(project_path: str) -> int:
    """Files in images/ and below; without that folder, files in the other folders of the project."""
    for name in ("images", ""):
        with contextlib.suppress(OSError), _opened(project_path) as project, _opened(name or ".", project) as folder:
            return sum(itertools.islice(_walk(folder, 1 if name else 0), MOST_ENTRIES))
    return 0


def _walk(folder: int, level: int) -> Iterator[bool]:
    """For each entry below the open folder whether it may be a picture. Level 0 is the project folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            is_skipped = entry.name.startswith(".") or (level == 0 and entry.name.lower() in NOT_PICTURES)
            yield not is_folder and not is_skipped and level > 0
            if is_folder and not is_skipped and level < MOST_LEVELS:
                with contextlib.suppress(OSError), _opened(entry.name, folder) as inner:
                    yield from _walk(inner, level + 1)


@contextlib.contextmanager
def _opened(name: str, parent: int | None = None) -> Iterator[int]:
    descriptor = os.open(name, FOLDER_ONLY, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
