"""The one way to the folder of a task's project: on a disk, where it lies, and in object storage, as a copy.

Trainers, the checker and the process that promotes a model get a ProjectFolder, and know nothing of where it came from.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from conf.data_roots import Root, folders_of, given_roots, urls_of
from conf.directory import Directory
from conf.storage_settings import StorageSettings
from protocol.bounds import refuse_other_than_task_id
from protocol.errors import TrainingError, is_disk_full
from protocol.project_url import ProjectUrl, innermost_root, is_project_url, worker_folder_of
from protocol.task import TaskSpec
from storage.object_store import ObjectStore, open_store
from trainer_worker.checkouts.checkout import Checkout, Watcher
from trainer_worker.checkouts.failures import as_training_errors
from trainer_worker.checkouts.kept_files import KeptFiles
from trainer_worker.checkouts.object_origin import ObjectOrigin
from trainer_worker.checkouts.shelf import Shelf
from trainer_worker.checkouts.stored_models import StoredModels
from trainer_worker.project.folder import ProjectFolder, admit, of_the_worker, outside_roots
from trainer_worker.project.origin import nothing
from trainer_worker.project.retention import discard_task

log = logging.getLogger(__name__)


class ProjectFolders(Protocol):
    """The projects in one kind of place. All calls raise TrainingError."""

    def check_out(self, spec: TaskSpec, watcher: Watcher) -> AbstractContextManager[ProjectFolder]:
        """The project of a task, with all that a training reads and keeps."""

    def look_at(self, spec: TaskSpec) -> AbstractContextManager[ProjectFolder]:
        """The project for a check of its names. Of pictures only the headers can be had, see Origin.bring_heads."""

    def models_of(self, spec: TaskSpec) -> AbstractContextManager[ProjectFolder]:
        """The project with its models, but perhaps without its photos."""

    def discard(self, spec: TaskSpec) -> None:
        """Remove what a cancelled task has left. Whatever prevents that is logged."""


class Unwatched:
    """The Watcher of callers that only wait."""

    def planned(self, files: int, size_bytes: int) -> None: ...

    def step(self, done_bytes: int) -> None: ...


@dataclass(frozen=True)
class LocalFolders:
    """Projects on the disks of this machine. They are used where they lie."""

    roots: Sequence[Path]

    def check_out(self, spec: TaskSpec, watcher: Watcher) -> AbstractContextManager[ProjectFolder]:
        return admit(spec, self.roots)

    def look_at(self, spec: TaskSpec) -> AbstractContextManager[ProjectFolder]:
        return admit(spec, self.roots)

    def models_of(self, spec: TaskSpec) -> AbstractContextManager[ProjectFolder]:
        return admit(spec, self.roots)

    def discard(self, spec: TaskSpec) -> None:
        discard_task(spec, self.roots)


@dataclass(frozen=True)
class ObjectFolders:
    """Projects in object storage. cache_dir: where their copies lie."""

    roots: Sequence[ProjectUrl]
    settings: StorageSettings
    cache_dir: Path

    @contextlib.contextmanager
    def check_out(self, spec: TaskSpec, watcher: Watcher) -> Iterator[ProjectFolder]:
        store = self._admit(spec)
        shelf = Shelf(self.cache_dir, self.settings.cache_mb * 1024**2)
        with shelf.taken(str(store.url)) as place:
            with self._disk_errors(place), as_training_errors():
                checkout = Checkout(place, store, self.settings.max_connections)
                checkout.bring(spec.task_id, watcher, lambda whole, more: shelf.make_room(place, whole, more))
            with KeptFiles(checkout, spec.task_id), opened(checkout) as project:
                yield project

    @contextlib.contextmanager
    def look_at(self, spec: TaskSpec) -> Iterator[ProjectFolder]:
        with self._passing(spec) as checkout:
            with as_training_errors():
                checkout.bring_names(nothing)
            with opened(checkout) as project:
                yield project

    @contextlib.contextmanager
    def models_of(self, spec: TaskSpec) -> Iterator[ProjectFolder]:
        with self._passing(spec) as checkout:
            with as_training_errors():
                checkout.bring_models(nothing)
            with opened(checkout) as project:
                yield project

    @contextlib.contextmanager
    def _passing(self, spec: TaskSpec) -> Iterator[Checkout]:
        """An empty copy that is removed afterwards."""
        store = self._admit(spec)
        with tempfile.TemporaryDirectory(prefix="tfmodel-", dir=self.cache_dir) as place:
            yield Checkout(Path(place), store, self.settings.max_connections)

    def discard(self, spec: TaskSpec) -> None:
        try:
            store = self._admit(spec)
            with as_training_errors():
                StoredModels(store).discard(spec.task_id)
        except (TrainingError, ValueError) as error:
            log.warning("action=task.not_discarded task=%r reason=%r", spec.task_id[:80], str(error)[:500])

    def _admit(self, spec: TaskSpec) -> ObjectStore:
        """The store of a task's project, which must lie below an allowed URL. The message is not trusted."""
        refuse_other_than_task_id(spec.task_id)
        try:
            url = ProjectUrl.parse(spec.project_path)
        except ValueError as error:
            raise TrainingError("project_dir_missing", str(error)) from error
        root = innermost_root(url, list(self.roots))
        if root is None:
            raise outside_roots(str(url), self.roots)
        if inside := worker_folder_of(url, root):
            raise of_the_worker(str(url), inside)
        with as_training_errors():
            return open_store(url, self.settings)

    @contextlib.contextmanager
    def _disk_errors(self, place: Path) -> Iterator[None]:
        """A copy that fills the disk is removed, so that others can go on."""
        try:
            yield
        except OSError as error:
            if not is_disk_full(error):
                raise
            for entry in ("folder", "parts"):
                shutil.rmtree(place / entry, ignore_errors=True)
            raise TrainingError(
                "disk_full",
                f"The disk of the worker's cache ({self.cache_dir}) is full, so the photos can't be copied there; free "
                "some space, or make [worker] cache_dir a larger disk.",
            ) from error


@contextlib.contextmanager
def opened(checkout: Checkout) -> Iterator[ProjectFolder]:
    """The copy as a project folder."""
    with ProjectFolder(checkout.folder, Directory.at(checkout.folder), ObjectOrigin(checkout)) as project:
        project.findings = checkout.objects.findings()
        yield project


def folders_for(roots: Sequence[str], storage: Mapping[str, Any]) -> AllFolders:
    """The projects for a short process, which another process has told its settings."""
    settings = msgspec.convert(storage, StorageSettings) if storage else None
    return AllFolders(given_roots(roots), settings, Path(tempfile.gettempdir()))


@dataclass(frozen=True)
class AllFolders:
    """Projects of both kinds of places. roots: where projects may lie. settings: None if none of them is a URL."""

    roots: Sequence[Root]
    settings: StorageSettings | None
    cache_dir: Path

    def check_out(self, spec: TaskSpec, watcher: Watcher) -> AbstractContextManager[ProjectFolder]:
        return self._of(spec).check_out(spec, watcher)

    def look_at(self, spec: TaskSpec) -> AbstractContextManager[ProjectFolder]:
        return self._of(spec).look_at(spec)

    def models_of(self, spec: TaskSpec) -> AbstractContextManager[ProjectFolder]:
        return self._of(spec).models_of(spec)

    def discard(self, spec: TaskSpec) -> None:
        with contextlib.suppress(TrainingError):
            self._of(spec).discard(spec)

    def _of(self, spec: TaskSpec) -> ProjectFolders:
        if is_project_url(spec.project_path):
            if self.settings is None:
                raise outside_roots(spec.project_path, self.roots)
            return ObjectFolders(urls_of(self.roots), self.settings, self.cache_dir)
        return LocalFolders(folders_of(self.roots))
