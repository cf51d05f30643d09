"""Opens one file of a project for the runtime process: a model whose hash is known, or a picture of the user's.

Everything is opened by descriptors and never through a link, also not through one that stays inside the project.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from conf.posted_folder import open_inside_roots, open_posted_folder
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


def open_picture(spec: TaskSpec | None, path: str, most_bytes: int, allowed_roots: Sequence[Path]) -> BinaryIO:
    """A picture on the disk, opened.

    path: relative to the project folder of that task; without a task it is absolute. Raises OwnFolderError,
    PostedFolderError, and OSError for what is missing, a link, not a regular file or too large.
    """
    place = PurePosixPath(path)
    if spec is None:
        with open_inside_roots(str(place.parent), allowed_roots, or_root=True) as folder:
            return folder.open(place.name, most_bytes)
    steps = place.parts
    if not steps or steps[0] == "/" or ".." in steps or worker_folder(("", *steps)):
        raise OwnFolderError
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(open_posted_folder(spec, allowed_roots))
        for step in steps[:-1]:
            folder = stack.enter_context(folder.folder(step))
        return folder.open(steps[-1], most_bytes)
