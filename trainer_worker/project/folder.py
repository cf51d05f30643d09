"""Opens a user's project folder, after checking that it is the folder that the front-end saw."""

from __future__ import annotations

import errno
import functools
import stat
from collections.abc import Sequence
from pathlib import Path

from conf.directory import Directory
from conf.posted_folder import Obstacle, PostedFolderError, open_posted_folder
from protocol.bounds import refuse_other_than_task_id
from protocol.data_report import Finding
from protocol.errors import TrainingError, is_disk_full
from protocol.project_layout import KEPT, MODELS
from protocol.task import TaskSpec
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.project.origin import LocalOrigin, Origin


class ProjectFolder:
    """The only way to models/ and .tfmodel/. A context manager: leaving it closes the descriptor.

    path: used in messages. All files, the user's and our own, are reached by descriptor.
    origin: where the project lies for good; that is this folder, or object storage.
    findings: what was found when the project was brought here, for the report on the folder.
    """

    findings: Sequence[Finding] = ()

    def __init__(self, path: Path, directory: Directory, origin: Origin | None = None) -> None:
        """origin: None for a project that lies in this folder."""
        self.path = path
        self.origin = origin or LocalOrigin(path)
        self._directory = directory

    @classmethod
    def open(cls, path: Path) -> ProjectFolder:
        """Open a folder without a check, for benchmarks and tests. The folder of a task is opened by `admit`."""
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
        """Open projectDir/models. make: create it if it is missing. OSError if it is missing or not a folder."""
        return self._directory.make_folder(MODELS) if make else self._directory.folder(MODELS)

    def kept(self, *steps: str, make: bool = False) -> Directory:
        """Open a folder below projectDir/.tfmodel, which holds only what can be computed again.

        make: create missing folders, and replace other entries of these names by folders. Only .tfmodel itself is never
        replaced: if the user has made it a link or a file, an OSError is raised and nothing can be kept.
        """
        directory = self._directory.make_folder(KEPT) if make else self._directory.folder(KEPT)
        for step in steps:
            with directory:
                directory = _folder_below(directory, step, make)
        return directory

    def refuse_closed_models(self) -> None:
        """Raise TrainingError if the model could not be put into models/ later. To be called before training.

        link_leaves_project: models/ is a link. project_dir_not_writable: it is a file, or writing is not allowed.
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
                raise _not_a_folder(self.origin.shown(MODELS))
            writable = self._directory.is_writable(MODELS)
        if not writable:
            raise _not_writable(self.origin.shown(MODELS))

    def refuse_if_gone(self) -> None:
        """Raise TrainingError project_dir_missing or project_dir_changed if the path no longer leads to this folder."""
        if gone := self.reason_if_gone():
            raise gone

    def reason_if_gone(self) -> TrainingError | None:
        """What refuse_if_gone raises; None if the path still leads to this folder."""
        mine = self._directory.own_status()
        try:
            now = self.path.stat()
        except OSError:
            return _missing(self.path)
        if (now.st_dev, now.st_ino) == (mine.st_dev, mine.st_ino):
            return None
        return TrainingError(
            "project_dir_changed",
            f"projectDir {self.path} was replaced by another folder during the training, so no model was written; "
            "post the task again.",
        )

    def failure(self, error: Exception) -> TrainingError | None:
        """The TrainingError that explains an error of this folder or its disk; None if the error has another cause."""
        number = error.errno if isinstance(error, OSError) else None
        if is_disk_full(error):
            sentence = f"The disk that holds {self.path} is full; free some space and post the task again."
            return TrainingError("disk_full", sentence)
        if gone := self.reason_if_gone():
            return gone
        if number in (errno.EACCES, errno.EPERM, errno.EROFS):
            return _not_writable(self.origin.shown(MODELS))
        if number in (errno.ENOENT, errno.ENOTEMPTY):
            sentence = (
                f"{self.origin.shown(MODELS)} was changed while the model was being written there, so the model was "
                "not kept; leave that folder alone until the task has ended, and post the task again."
            )
            return TrainingError("project_dir_changed", sentence)
        if number in (errno.EEXIST, errno.ENOTDIR, errno.ELOOP):
            return _not_a_folder(self.origin.shown(MODELS))
        return None


def admit(spec: TaskSpec, allowed_roots: Sequence[Path]) -> ProjectFolder:
    """Open the project folder of a task. It must be the folder that the front-end saw when the task was posted.

    allowed_roots: see open_posted_folder. Raises TrainingError project_dir_missing, project_dir_changed or
    project_dir_not_writable, and ValueError for something that is not a task id.
    """
    refuse_other_than_task_id(spec.task_id)
    path = Path(spec.project_path)
    try:
        return ProjectFolder(path, open_posted_folder(spec, allowed_roots))
    except PostedFolderError as error:
        raise _refusal(path, error, allowed_roots) from error


def _refusal(path: Path, error: PostedFolderError, allowed_roots: Sequence[Path]) -> TrainingError:
    match error.obstacle:
        case Obstacle.OUTSIDE_ROOTS:
            return outside_roots(str(path), allowed_roots)
        case Obstacle.OF_THE_WORKER:
            return of_the_worker(str(path), error.inside)
        case Obstacle.MISSING:
            return _missing(path)
        case Obstacle.FORBIDDEN:
            sentence = f"The worker may not open {path}; give its user the right to read and write there."
            return TrainingError("project_dir_not_writable", sentence)
        case Obstacle.REDIRECTED:
            return _changed(f"{path} now leads through a link or a file")
        case Obstacle.REPLACED:
            return _changed(f"{path} is not the folder that was there when the task was posted")


def outside_roots(project: str, allowed_roots: Sequence[object]) -> TrainingError:
    roots = ", ".join(map(str, allowed_roots))
    return TrainingError(
        "project_dir_changed",
        f"projectDir {project} does not lie inside a folder that the worker may use ({roots}), so nothing was "
        "read or written; set [worker] data_roots on the worker's machine, and post the task again.",
    )


def of_the_worker(project: str, inside: str) -> TrainingError:
    return _changed(f"projectDir {project} lies in {inside}/, where the worker keeps what belongs to a project")


def _folder_below(directory: Directory, name: str, make: bool) -> Directory:
    if not make:
        return directory.folder(name)
    try:
        return directory.make_folder(name)
    except NotADirectoryError:
        directory.remove(name)
        return directory.make_folder(name)


def _missing(path: Path) -> TrainingError:
    sentence = f"The worker finds no folder {path}; upload the photos, and then post the task again."
    return TrainingError("project_dir_missing", sentence)


def _not_writable(models: str) -> TrainingError:
    sentence = f"The worker may not write to {models}; give its user the right to write there."
    return TrainingError("project_dir_not_writable", sentence)


def _not_a_folder(path: str) -> TrainingError:
    sentence = f"{path} is not a folder; move it away so that models can be stored there."
    return TrainingError("project_dir_not_writable", sentence)


def _changed(what: str) -> TrainingError:
    return TrainingError("project_dir_changed", f"{what}; nothing was read or written. Post the task again.")
