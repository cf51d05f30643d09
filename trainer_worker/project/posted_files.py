"""Opens one file of a project for the runtime process: a model whose hash is known, or a picture of the user's.

Everything is opened by descriptors and never through a link, also not through one that stays inside the project.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from conf.posted_folder import open_inside_roots, open_posted_folder
from protocol.prediction import FolderPicture, ModelFile
from protocol.project_layout import MODELS, worker_folder
from protocol.task import TaskSpec


class ChangedFileError(Exception):
    """A model file's bytes are not the ones that were published."""


class OwnFolderError(Exception):
    """A path leads out of the project, or into a folder that the worker keeps in it."""


class PlacesToRead(NamedTuple):
    """roots: the folders that projects must lie in, absolute and with links resolved.

    copies: the folder with copies of objects of projects in object storage; None if there is none.
    """

    roots: Sequence[Path]
    copies: Path | None = None

    def open_copy(self, path: str, most_bytes: int) -> BinaryIO:
        """Open a copy to read it. PostedFolderError or OSError if it is no regular file in the folder of copies."""
        place, folders = Path(path), [self.copies] if self.copies is not None else []
        with open_inside_roots(str(place.parent), folders, or_root=True) as folder:
            return folder.open(place.name, most_bytes)


def read_model(file: ModelFile, places: PlacesToRead) -> bytes:
    """The bytes of a file in the task's model folder, or of its copy.

    They are read once, so what was hashed is what is used. Raises ChangedFileError unless they have the hash,
    PostedFolderError, and OSError, which is a FileNotFoundError where there is no such file.
    """
    spec, artifact = file.spec, file.artifact
    if file.copy:
        with places.open_copy(file.copy, artifact.size_bytes) as copy:
            content = copy.read(artifact.size_bytes + 1)
    else:
        with (
            open_posted_folder(spec, places.roots) as project,
            project.folder(MODELS) as models,
            models.folder(spec.task_id) as folder,
        ):
            content = folder.read(artifact.name, artifact.size_bytes)
    if hashlib.sha256(content).hexdigest() != artifact.sha256:
        raise ChangedFileError
    return content


def open_picture(spec: TaskSpec | None, picture: FolderPicture, most_bytes: int, places: PlacesToRead) -> BinaryIO:
    """A picture on the disk, opened.

    spec: the task in whose project folder it lies; without a task its name is absolute. Raises OwnFolderError,
    PostedFolderError, and OSError for what is missing, a link, not a regular file or too large.
    """
    if picture.copy:
        return places.open_copy(picture.copy, most_bytes)
    place = PurePosixPath(picture.name)
    if spec is None:
        with open_inside_roots(str(place.parent), places.roots, or_root=True) as folder:
            return folder.open(place.name, most_bytes)
    steps = place.parts
    if not steps or steps[0] == "/" or ".." in steps or worker_folder(("", *steps)):
        raise OwnFolderError
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(open_posted_folder(spec, places.roots))
        for step in steps[:-1]:
            folder = stack.enter_context(folder.folder(step))
        return folder.open(steps[-1], most_bytes)
