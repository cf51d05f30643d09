"""The models that lie in projectDir/models: which there are, and whether one is as it was written."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from protocol.bounds import is_task_id
from protocol.project_layout import MODELS
from protocol.task import Trained
from trainer_worker.pictures.contents import sha256_of
from trainer_worker.project.directory import Directory
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.manifest import ForeignManifestError, ListedFile, Manifest, read_manifest
from trainer_worker.project.model_files import MANIFEST

log = logging.getLogger(__name__)

#: Called often while something long goes on; what it raises ends that.
Tell = Callable[[], None]


def nothing() -> None:
    """For callers that cannot be cancelled."""


@dataclass(frozen=True)
class FinishedModel:
    """A model with a manifest that is not interim. written_at_s: the time of its manifest's file."""

    task_id: str
    manifest: Manifest
    written_at_s: float


class AlreadyPublishedError(Exception):
    """This task's model is complete already, from another attempt, and was not touched."""

    def __init__(self, manifest: Manifest) -> None:
        super().__init__(f"the model of task {manifest.task_id} is finished already")
        self.manifest = manifest


def manifest_of(project: ProjectFolder, task_id: str) -> Manifest | None:
    """Of the model of a task, which may be interim; None where there is no such model."""
    with (
        contextlib.suppress(OSError, ForeignManifestError),
        project.models() as models,
        models.folder(task_id) as folder,
    ):
        return read_manifest(folder, task_id)
    return None


def finished_model(project: ProjectFolder, task_id: str, tell: Tell = nothing) -> Manifest | None:
    """The manifest of the finished model of a task, all of whose files are as they were written; else None."""
    with contextlib.suppress(OSError), project.models() as models, models.folder(task_id) as folder:
        return finished_and_intact(folder, task_id, tell)
    return None


def finished_and_intact(folder: Directory, task_id: str, tell: Tell = nothing) -> Manifest | None:
    """As finished_model, of the model in that folder."""
    with contextlib.suppress(OSError, ForeignManifestError):
        manifest = read_manifest(folder, task_id)
        if manifest is None or manifest.interim:
            return None
        for file in manifest.files:
            with open_listed(folder, file) as source:
                if sha256_of(source, lambda chunk: tell()) != file.sha256:
                    return None
        return manifest
    return None


def finished_models(models: Directory, tell: Tell = nothing) -> list[FinishedModel]:
    """The newest first. Only folders that carry the id of a task: whatever else lies there isn't ours."""
    found, foreign = [], []
    for name in filter(is_task_id, models.names()):
        tell()
        try:
            with models.folder(name) as folder:
                manifest = read_manifest(folder, name)
        except (OSError, ForeignManifestError) as error:
            foreign.append(f"{name}: {error}")
            continue
        if manifest is not None and not manifest.interim:
            found.append(FinishedModel(name, manifest, written_at_s(models, name)))
    if foreign:
        log.warning("action=models.ignored count=%d first=%r", len(foreign), foreign[0])
    return sorted(found, key=lambda model: model.written_at_s, reverse=True)


def written_at_s(models: Directory, task_id: str) -> float:
    """When the manifest of a model was written; 0.0 where there is none."""
    with contextlib.suppress(OSError), models.folder(task_id) as folder:
        return folder.status(MANIFEST).st_mtime
    return 0.0


def trained(project: ProjectFolder, manifest: Manifest) -> Trained:
    """What a finished model says of itself, as the answer to the task."""
    # A figure that is no number stands as null in JSON.
    metrics = {name: value for name, value in manifest.metrics.items() if value is not None and math.isfinite(value)}
    return Trained(
        str(model_path(project, manifest)),
        metrics,
        manifest.stage_seconds,
        manifest.end_reason,
    )


def model_path(project: ProjectFolder, manifest: Manifest) -> Path:
    """The file to hand to the user."""
    return project.path / MODELS / manifest.task_id / manifest.model_file


@contextlib.contextmanager
def open_listed(folder: Directory, file: ListedFile) -> Iterator[BinaryIO]:
    """A file of a model, to read, as long as it has the size that is listed. OSError where there is no such file."""
    with contextlib.ExitStack() as stack:
        *steps, name = file.path.split("/")
        for step in steps:
            folder = stack.enter_context(folder.folder(step))
        yield stack.enter_context(folder.open(name, file.size_bytes))
