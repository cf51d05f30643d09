"""Reads one file of a project for a prediction: a model whose hash is known, or a picture of the user's.

Everything is opened by descriptors and never through a link, also not through one that stays inside the project.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from conf.directory import Directory
from conf.posted_folder import open_posted_folder
from protocol.artifact import Artifact
from protocol.project_layout import MODELS, worker_folder
from protocol.task import TaskSpec


class ChangedFileError(Exception):
    """A model file's bytes are not the ones that were published."""


class OwnFolderError(Exception):
    """A path leads out of the project, or into a folder that the worker keeps in it."""


def read_model(spec: TaskSpec, artifact: Artifact, allowed_roots: Sequence[Path]) -> bytes:
    """The bytes of a file in the task's model folder.

    They are read once, so what was hashed is what is used. Raises ChangedFileError unless they have the hash,
    PostedFolderError, and OSError, which is a FileNotFoundError where there is no such file.
    """
    with (
        open_posted_folder(spec, allowed_roots) as project,
        project.folder(MODELS) as models,
        models.folder(spec.task_id) as folder,
    ):
        content = folder.read(artifact.name, artifact.size_bytes)
    if hashlib.sha256(content).hexdigest() != artifact.sha256:
        raise ChangedFileError
    return content


def read_picture(spec: TaskSpec, path: str, most_bytes: int, allowed_roots: Sequence[Path]) -> bytes:
    """The bytes of a file in the project folder. path: relative to it.

    Raises OwnFolderError, PostedFolderError, and OSError for what is missing, a link, not a regular file or too large.
    """
    steps = PurePosixPath(path).parts
    if not steps or steps[0] == "/" or ".." in steps or worker_folder(("", *steps)):
        raise OwnFolderError
    with open_posted_folder(spec, allowed_roots) as project:
        return _read_below(project, steps, most_bytes)


def _read_below(folder: Directory, steps: Sequence[str], most_bytes: int) -> bytes:
    *folders, name = steps
    opened: list[Directory] = []
    try:
        for step in folders:
            opened.append((opened[-1] if opened else folder).folder(step))
        return (opened[-1] if opened else folder).read(name, most_bytes)
    finally:
        for directory in opened:
            directory.close()
