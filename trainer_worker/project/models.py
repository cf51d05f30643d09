"""Finds the models in projectDir/models, and checks whether their files are still as they were written."""

from __future__ import annotations

import contextlib
import logging
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from conf.directory import Directory
from protocol.bounds import is_task_id
from protocol.task import Trained
from trainer_worker.pictures.contents import sha256_of
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.manifest import ForeignManifestError, ListedFile, Manifest, read_manifest
from trainer_worker.project.model_files import MANIFEST
from trainer_worker.project.origin import Tell, nothing

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FinishedModel:
    """A model whose manifest is not interim. written_at_s: when the manifest was written."""

    task_id: str
    manifest: Manifest
    written_at_s: float


class AlreadyPublishedError(Exception):
    """Another attempt has already published the model of this task. It was not touched."""

    def __init__(self, manifest: Manifest) -> None:
        super().__init__(f"the model of task {manifest.task_id} is finished already")
        self.manifest = manifest


def manifest_of(project: ProjectFolder, task_id: str) -> Manifest | None:
    """The manifest of a task's model, which may be interim; None if there is no model."""
    with (
        contextlib.suppress(OSError, ForeignManifestError),
        project.models() as models,
        models.folder(task_id) as folder,
    ):
        return read_manifest(folder, task_id)
    return None


def finished_model(project: ProjectFolder, task_id: str, tell: Tell = nothing) -> Manifest | None:
    """The manifest of a task's finished model; None if there is none, or if a file differs from its hash."""
    project.origin.bring_model(task_id, tell)
    with contextlib.suppress(OSError), project.models() as models, models.folder(task_id) as folder:
        return finished_and_intact(folder, task_id, tell)
    return None


def finished_and_intact(folder: Directory, task_id: str, tell: Tell = nothing) -> Manifest | None:
    """The manifest of the finished model in that folder, on the conditions of finished_model."""
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
    """All finished models, the newest first. Only folders whose name is a task id are looked at."""
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


def is_whole(folder: Directory, manifest: Manifest) -> bool:
    """Whether all files of a model are there in their full size. Unlike finished_and_intact, it reads none of them."""
    with contextlib.suppress(OSError):
        for file in manifest.files:
            with open_listed(folder, file) as opened:
                if os.fstat(opened.fileno()).st_size != file.size_bytes:
                    return False
        return True
    return False


def written_at_s(models: Directory, task_id: str) -> float:
    """When the manifest of a model was written; 0.0 if there is none."""
    with contextlib.suppress(OSError), models.folder(task_id) as folder:
        return folder.status(MANIFEST).st_mtime
    return 0.0


def trained(project: ProjectFolder, manifest: Manifest) -> Trained:
    """The result of a task whose model is finished, from its manifest. It was written by another task or attempt."""
    # A metric that is NaN or infinite stands as null in the manifest.
    metrics = {name: value for name, value in manifest.metrics.items() if value is not None and math.isfinite(value)}
    return Trained(
        model_path(project, manifest),
        metrics,
        manifest.stage_seconds,
        manifest.end_reason,
        tuple(manifest.warnings),
        manifest.data_report.shortened(),
        manifest.comparison,
        manifest.artifacts,
        manifest.taken_over_from or manifest.task_id,
    )


def model_path(project: ProjectFolder, manifest: Manifest) -> str:
    """The path or URL of the file to hand to the user."""
    folder = project.origin.model_folder(manifest.task_id, manifest.folder)
    return project.origin.shown(f"{folder}/{manifest.model_file}")


@contextlib.contextmanager
def open_listed(folder: Directory, file: ListedFile) -> Iterator[BinaryIO]:
    """Open a model's file to read it. OSError if it is missing or larger than listed."""
    with contextlib.ExitStack() as stack:
        *steps, name = file.path.split("/")
        for step in steps:
            folder = stack.enter_context(folder.folder(step))
        yield stack.enter_context(folder.open(name, file.size_bytes))
