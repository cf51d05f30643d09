"""Gets the status of a picture on the disk without reading it. Runs in a thread.

The runtime process opens the picture later, and checks the path again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from conf.posted_folder import PostedFolderError, open_inside_roots, open_posted_folder
from protocol.bounds import MAX_FIELD_CHARS
from protocol.project_layout import worker_folder
from protocol.task import TaskSpec
from web.answers.refusal import Refusal
from web.files.byte_range import etag_of
from web.files.open_file import PASSING_ERRORS
from web.folders.folders import SeenPicture


def status_at(path: str, roots: Sequence[Path]) -> os.stat_result:
    """The status of the picture at an absolute path. Raises PostedFolderError, and OSError if it is no regular file."""
    place = PurePosixPath(path)
    with open_inside_roots(str(place.parent), roots, or_root=True) as folder:
        return _regular(folder.status(place.name))


def status_in_project(spec: TaskSpec, name: str, roots: Sequence[Path]) -> os.stat_result:
    """The status of a picture in the project folder of a task. name: its path in that folder.

    Raises PostedFolderError, and OSError for what is no regular file or lies where TFModel keeps its own files.
    """
    steps = PurePosixPath(name).parts
    if worker_folder(("", *steps)) or len(name) > MAX_FIELD_CHARS:  # the longest name in an Order
        raise FileNotFoundError(name)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(open_posted_folder(spec, roots))
        for step in steps[:-1]:
            folder = stack.enter_context(folder.folder(step))
        return _regular(folder.status(steps[-1]))


def no_picture(name: str, error: PostedFolderError | OSError | ValueError) -> Refusal:
    """The refusal of a picture whose status can't be got."""
    if isinstance(error, TimeoutError):
        return Refusal("file_unreadable", "The disk of the picture does not answer in time; try again in a moment.")
    if isinstance(error, OSError) and error.errno in PASSING_ERRORS:
        words = f"The picture can't be read now ({os.strerror(error.errno)}); try again in a moment."
        return Refusal("file_unreadable", words)
    in_zip = ".zip/" in name.lower()
    reason = "it lies in a zip, and pictures in zips are not shown" if in_zip else "it is missing, or is a link"
    return Refusal("no_picture", f"There is no picture {name[:200]!r} to be shown: {reason}.")


def identity_of(status: os.stat_result) -> tuple[int, ...]:
    """What changes when the file does."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def etag_of_thumbnail(seen: SeenPicture, side_px: int) -> str:
    """The ETag of a picture's thumbnail."""
    return etag_of(hashlib.sha256(repr((*seen.identity, side_px)).encode()).hexdigest())


def _regular(status: os.stat_result) -> os.stat_result:
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError("no regular file")
    return status
