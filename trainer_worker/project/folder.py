"""A user's project folder as the worker holds it, and the check that it is the folder which the front-end saw."""

from __future__ import annotations

import errno
import functools
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from conf.machine import running_system
from protocol.bounds import is_task_id
from protocol.errors import TrainingError, is_disk_full
from protocol.project_layout import KEPT, MODELS, worker_folder
from protocol.task import TaskSpec
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.project.directory import Directory

#: Opens a folder on the way for looking further only, which takes no right to list it.
_STEP_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LAST_STEP_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class ProjectFolder:
    """The one owner of access to models/ and .tfmodel/. A context manager: leaving it closes the descriptor.

    path: for messages and for `modelPath`. All files, the user's and our own, are reached by the folder's descriptor.
    """

    def __init__(self, path: Path, directory: Directory) -> None:
        self.path = path
        self._directory = directory

    @classmethod
    def open(cls, path: Path) -> ProjectFolder:
        """The folder at a path that needs no check: for benchmarks and tests. A task's is opened by `admit`."""
        real = path.resolve()
        return cls(real, Directory.at(real))

    def __enter__(self) -> ProjectFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self._directory.close()

    @functools.cached_property
    def files(self) -> UserFiles:
        """The user's own files. They are read from this very folder, whatever stands at its path by now."""
        return UserFiles(self.path, self._directory.fileno())

    def models(self, make: bool = False) -> Directory:
        """projectDir/models. OSError where there is none and none is to be made, or something else stands there."""
        return self._directory.make_folder(MODELS) if make else self._directory.folder(MODELS)

    def kept(self, *steps: str, make: bool = False) -> Directory:
        """A folder below projectDir/.tfmodel, which holds only what can be made anew.

        make: make what is missing, and put a folder in the place of whatever else stands there. Only .tfmodel itself
        stays as it is: where the user has made it a link or a file, OSError says that nothing can be kept.
        """
        directory = self._directory.make_folder(KEPT) if make else self._directory.folder(KEPT)
        for step in steps:
            with directory:
                directory = _folder_below(directory, step, make)
        return directory

    def refuse_closed_models(self) -> None:
        """Before hours of training: TrainingError when no model could be put into models/ at their end.

        link_leaves_project for a link; project_dir_not_writable for a file, or where the worker has no right to write.
        """
        try:
            mode = self._directory.status(MODELS).st_mode
        except FileNotFoundError:
            writable = self._directory.is_writable(".")
        else:
            if stat.S_ISLNK(mode):
                raise TrainingError(
                    "link_leaves_project",
                    f"{MODELS} in projectDir is a link, and models are not written through links; put a folder there "
                    "instead.",
                )
            if not stat.S_ISDIR(mode):
                raise _not_a_folder(self.path / MODELS)
            writable = self._directory.is_writable(MODELS)
        if not writable:
            raise _not_writable(self.path)

    def refuse_if_gone(self) -> None:
        """TrainingError project_dir_missing or project_dir_changed when the path no longer leads to this folder."""
        mine = self._directory.own_status()
        try:
            now = self.path.stat()
        except OSError as error:
            raise _missing(self.path) from error
        if (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino):
            raise TrainingError(
                "project_dir_changed",
                f"projectDir {self.path} was replaced by another folder during the training, so no model was written; "
                "post the task again.",
            )

    def failure(self, error: Exception) -> TrainingError | None:
        """What an error of the disk that holds this folder amounts to; None when it is another kind of error."""
        number = error.errno if isinstance(error, OSError) else None
        if is_disk_full(error):
            sentence = f"The disk that holds {self.path} is full; free some space and post the task again."
            return TrainingError("disk_full", sentence)
        try:
            self.refuse_if_gone()
        except TrainingError as gone:
            return gone
        if number in (errno.EACCES, errno.EPERM, errno.EROFS):
            return _not_writable(self.path)
        if number in (errno.ENOENT, errno.ENOTEMPTY):
            sentence = (
                f"Somebody changed {self.path}/{MODELS} while the model was put there, so it was not kept; leave that "
                "folder alone while a task is trained, and post the task again."
            )
            return TrainingError("project_dir_changed", sentence)
        if number in (errno.EEXIST, errno.ENOTDIR, errno.ELOOP):
            return _not_a_folder(self.path / MODELS)
        return None


def admit(spec: TaskSpec, allowed_roots: Sequence[Path]) -> ProjectFolder:
    """Open the project folder of a task, which must be the one that the front-end saw when the task was posted.

    allowed_roots: the worker's own, absolute and with links resolved; what the message says is not believed.
    Raises TrainingError project_dir_missing, project_dir_changed, project_dir_not_writable; ValueError for a task id
    that is none.
    """
    if not is_task_id(spec.task_id):
        raise ValueError(f"task id {spec.task_id[:80]!r} can't name a folder; it is 32 lower-case hex digits")
    path = Path(spec.project_path)
    roots_above = [root for root in allowed_roots if path != root and path.is_relative_to(root)]
    root = max(roots_above, key=lambda root: len(root.parts), default=None)
    if root is None or ".." in path.parts or "\0" in spec.project_path:
        roots = ", ".join(map(str, allowed_roots))
        raise TrainingError(
            "project_dir_changed",
            f"projectDir {path} does not lie inside a folder that the worker may use ({roots}), so nothing was read or "
            "written; set [worker] data_roots on the worker's machine, and post the task again.",
        )
    if inside := worker_folder(path.relative_to(root).parts):
        raise _changed(f"projectDir {path} lies in {inside}/, where the worker keeps what belongs to a project")
    try:
        directory = _walk(root, path.relative_to(root).parts)
    except FileNotFoundError as error:
        raise _missing(path) from error
    except PermissionError as error:
        sentence = f"The worker may not open {path}; give its user the right to read and write there."
        raise TrainingError("project_dir_not_writable", sentence) from error
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        raise _changed(f"{path} leads through a link or a file now") from error
    if not _is_the_one_seen(directory.own_status(), spec):
        directory.close()
        raise _changed(f"{path} is another folder than the one that was there when the task was posted")
    return ProjectFolder(path, directory)


def _walk(root: Path, steps: Sequence[str]) -> Directory:
    """Go down from an allowed root, each step relative to the folder before it, so that no link is followed."""
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
    """Device numbers are compared only where the front-end runs on the same system: elsewhere they differ."""
    if not spec.seen_inode:
        return True
    same_device = spec.seen_on != running_system() or spec.seen_device == str(status.st_dev)
    return same_device and spec.seen_inode == str(status.st_ino)


def _folder_below(directory: Directory, name: str, make: bool) -> Directory:
    if not make:
        return directory.folder(name)
    try:
        return directory.make_folder(name)
    except NotADirectoryError:
        directory.remove(name)
        return directory.make_folder(name)


def _missing(path: Path) -> TrainingError:
    sentence = f"There is no folder {path} on the worker (any more); upload the photos before posting the task."
    return TrainingError("project_dir_missing", sentence)


def _not_writable(project: Path) -> TrainingError:
    sentence = f"The worker may not write to {project}/{MODELS}; give its user the right to write there."
    return TrainingError("project_dir_not_writable", sentence)


def _not_a_folder(path: Path) -> TrainingError:
    sentence = f"{path} is not a folder; move it away so that models can be stored there."
    return TrainingError("project_dir_not_writable", sentence)


def _changed(what: str) -> TrainingError:
    return TrainingError("project_dir_changed", f"{what}; nothing was read or written. Post the task again.")
