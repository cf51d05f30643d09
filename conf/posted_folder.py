"""Opens the project folder of a task, if it still is the folder that the front-end saw when the task was posted.

A project folder is a stranger's, who may move it, or put a link or another folder in its place. The worker opens it
here to train, and the front-end to serve a report.
"""

from __future__ import annotations

import enum
import errno
import os
from collections.abc import Sequence
from pathlib import Path

from conf.directory import Directory
from conf.machine import running_system
from protocol.project_layout import worker_folder
from protocol.task import TaskSpec

#: For the folders on the way. O_PATH needs no right to list them.
_STEP_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LAST_STEP_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Obstacle(enum.Enum):
    """Why a project folder is not opened."""

    OUTSIDE_ROOTS = enum.auto()  #: It does not lie inside an allowed folder.
    OF_THE_WORKER = enum.auto()  #: It lies in a folder that the worker has made in a project.
    MISSING = enum.auto()
    FORBIDDEN = enum.auto()  #: The system does not let this process open it.
    REDIRECTED = enum.auto()  #: Its path now leads through a link or a file.
    REPLACED = enum.auto()  #: Another folder stands at its path.


class PostedFolderError(Exception):
    """A folder inside a data root was not opened. The caller makes a sentence for its reader from `obstacle`.

    inside: the name of the worker's folder that it lies in, if that is the obstacle.
    """

    def __init__(self, obstacle: Obstacle, inside: str = "") -> None:
        super().__init__(obstacle.name)
        self.obstacle = obstacle
        self.inside = inside


def open_posted_folder(spec: TaskSpec, allowed_roots: Sequence[Path]) -> Directory:
    """Open the project folder of a task without following any link.

    allowed_roots: from this process's own settings, absolute and with links resolved. The message is not trusted.
    Raises PostedFolderError, and OSError for an error of the disk.
    """
    directory = open_inside_roots(spec.project_path, allowed_roots)
    if not _is_the_one_seen(directory.own_status(), spec):
        directory.close()
        raise PostedFolderError(Obstacle.REPLACED)
    return directory


def open_inside_roots(path: str, allowed_roots: Sequence[Path], or_root: bool = False) -> Directory:
    """Open a folder that lies inside one of the allowed roots, without following any link below the root.

    path: absolute. allowed_roots: see open_posted_folder. or_root: whether it may also be a root itself.
    Raises PostedFolderError, and OSError for an error of the disk.
    """
    root, steps = steps_below(path, [root for root in allowed_roots if or_root or Path(path) != root])
    if inside := worker_folder(steps):
        raise PostedFolderError(Obstacle.OF_THE_WORKER, inside)
    try:
        return _walk(root, steps)
    except FileNotFoundError as error:
        raise PostedFolderError(Obstacle.MISSING) from error
    except PermissionError as error:
        raise PostedFolderError(Obstacle.FORBIDDEN) from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise PostedFolderError(Obstacle.MISSING) from error
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        raise PostedFolderError(Obstacle.REDIRECTED) from error


def steps_below(path: str, allowed_roots: Sequence[Path]) -> tuple[Path, tuple[str, ...]]:
    """The innermost allowed root that the path lies in or is, and the names from there to the path.

    Raises PostedFolderError for a path that lies in none, or that is not plain.
    """
    place = Path(path)
    root = max(filter(place.is_relative_to, allowed_roots), key=lambda root: len(root.parts), default=None)
    if root is None or ".." in place.parts or "\0" in path:
        raise PostedFolderError(Obstacle.OUTSIDE_ROOTS)
    return root, place.relative_to(root).parts


def _walk(root: Path, steps: Sequence[str]) -> Directory:
    """Open the folder below an allowed root. Each step is relative to the folder before, so no link is followed."""
    if not steps:
        return Directory.at(root)
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for number, step in enumerate(steps, start=1):
        flags = _LAST_STEP_FLAGS if number == len(steps) else _STEP_FLAGS
        try:
            below = os.open(step, flags, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = below
    return Directory(descriptor)


def _is_the_one_seen(status: os.stat_result, spec: TaskSpec) -> bool:
    """Whether this is the folder that the front-end saw. Device numbers differ between systems, so they are compared
    only if the front-end saw it on this one."""
    if not spec.seen_inode:
        return True
    same_device = spec.seen_on != running_system() or spec.seen_device == str(status.st_dev)
    return same_device and spec.seen_inode == str(status.st_ino)
