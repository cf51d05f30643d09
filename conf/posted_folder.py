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
    """The project folder of a task was not opened. The caller makes a sentence for its reader from `obstacle`.

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
    path = Path(spec.project_path)
    roots_above = [root for root in allowed_roots if path != root and path.is_relative_to(root)]
    root = max(roots_above, key=lambda root: len(root.parts), default=None)
    if root is None or ".." in path.parts or "\0" in spec.project_path:
        raise PostedFolderError(Obstacle.OUTSIDE_ROOTS)
    steps = path.relative_to(root).parts
    if inside := worker_folder(steps):
        raise PostedFolderError(Obstacle.OF_THE_WORKER, inside)
    try:
        directory = _walk(root, steps)
    except FileNotFoundError as error:
        raise PostedFolderError(Obstacle.MISSING) from error
    except PermissionError as error:
        raise PostedFolderError(Obstacle.FORBIDDEN) from error
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        raise PostedFolderError(Obstacle.REDIRECTED) from error
    if not _is_the_one_seen(directory.own_status(), spec):
        directory.close()
        raise PostedFolderError(Obstacle.REPLACED)
    return directory


def _walk(root: Path, steps: Sequence[str]) -> Directory:
    """Open the folder below an allowed root. Each step is relative to the folder before, so no link is followed."""
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
