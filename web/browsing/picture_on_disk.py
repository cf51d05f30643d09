"""Looks at a picture on the disk without reading it. Runs in a thread; the runtime process opens it later, and checks
all of this again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from conf.posted_folder import open_inside_roots, open_posted_folder
from protocol.bounds import MAX_FIELD_CHARS
from protocol.project_layout import worker_folder
from protocol.task import TaskSpec
from web.files.byte_range import etag_of


def status_at(path: str, roots: Sequence[Path]) -> os.stat_result:
    """Of a picture by its absolute path. Raises PostedFolderError, and OSError unless it is a regular file."""
    place = PurePosixPath(path)
    with open_inside_roots(str(place.parent), roots, or_root=True) as folder:
        return _regular(folder.status(place.name))


def status_in_project(spec: TaskSpec, name: str, roots: Sequence[Path]) -> os.stat_result:
    """Of a picture in the project folder of a task. Raises PostedFolderError, and OSError unless it is a regular file
    of the user's."""
    steps = PurePosixPath(name).parts
    if worker_folder(("", *steps)) or len(name) > MAX_FIELD_CHARS:  # a message to the runtime process has this bound
        raise FileNotFoundError(name)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(open_posted_folder(spec, roots))
        for step in steps[:-1]:
            folder = stack.enter_context(folder.folder(step))
        return _regular(folder.status(steps[-1]))


def etag_of_thumbnail(status: os.stat_result, side_px: int) -> str:
    """The ETag of a picture's thumbnail. It changes when the file does, so nothing has to be read to know that."""
    seen = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, side_px)
    return etag_of(hashlib.sha256(repr(seen).encode()).hexdigest())


def _regular(status: os.stat_result) -> os.stat_result:
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError("no regular file")
    return status
