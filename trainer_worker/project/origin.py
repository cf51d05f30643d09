"""Where a project lies for good, as far as the code must know that changes its models.

Models are written into the project's folder on a disk of this machine. For a project that lies there, nothing more has
to be done. A project in object storage has a copy on this machine (trainer_worker/checkouts/), and what is published
must reach the storage as well. Both are an Origin.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Protocol

from protocol.project_layout import MODELS

#: Paths of files that belong together, such as a picture and its mask.
Groups = Sequence[Sequence[str]]
#: Called often while something long goes on; what it raises ends that.
Tell = Callable[[], None]


def nothing() -> None:
    """The Tell of callers that cannot be cancelled."""


class Origin(Protocol):
    """The methods that change something are called before the same is done in the folder.

    All of them raise TrainingError if the place does not answer.
    """

    def shown(self, path: str) -> str:
        """A path of the project as callers get it: absolute, or a URL."""

    def model_folder(self, task_id: str, publication: str) -> str:
        """The path of a model's files in the project. publication: as its manifest says."""

    def new_publication(self, attempt: int) -> str:
        """The name of a folder in models/<taskId>/ for the files of one publication; "" if it needs none."""

    def refresh_models(self, tell: Tell) -> None:
        """Bring what other workers have published meanwhile into the folder."""

    def bring_model(self, task_id: str, tell: Tell) -> None:
        """Bring all files of a model into the folder. Before, some of them may be empty space of the right size."""

    def bring_heads(self, groups: Groups, until_s: float) -> Groups:
        """Bring the beginnings of pictures, until the monotonic time until_s. Returns the groups that are there.

        groups: paths, those of a group together. A project that was only looked at has empty space for pictures.
        """

    def bring_whole(self, paths: Collection[str]) -> list[str]:
        """Bring the whole of files of the user's. Returns those that were not there."""

    def send_files(self, task_id: str, publication: str, folder: Path, tell: Tell) -> None:
        """Send all files below a folder of this machine. No reader sees them before `commit`."""

    def commit(self, task_id: str, manifest: bytes) -> bool:
        """Publish what was sent. False, and nothing is changed, if another attempt has published a finished model."""

    def settled(self, task_id: str) -> None:
        """The files of the published model have their place in the folder."""

    def point(self, link: str, task_id: str, even_back: bool) -> bool:
        """Point models/latest, or another link in models/, to a model.

        even_back: also if it names a model by now that was written later. False if the link was left alone.
        """

    def remove_model(self, task_id: str) -> None:
        """Remove a model, and what is kept of its task."""

    def tidy(self, stale_after_s: float) -> None:
        """Remove what unfinished attempts have left, if nobody has changed it for `stale_after_s` seconds."""


class LocalOrigin:
    """A project that lies in its folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def shown(self, path: str) -> str:
        return str(self._path / path)

    def model_folder(self, task_id: str, publication: str) -> str:
        return f"{MODELS}/{task_id}"

    def new_publication(self, attempt: int) -> str:
        return ""

    def refresh_models(self, tell: Tell) -> None: ...

    def bring_model(self, task_id: str, tell: Tell) -> None: ...

    def bring_heads(self, groups: Groups, until_s: float) -> Groups:
        return groups

    def bring_whole(self, paths: Collection[str]) -> list[str]:
        return []

    def send_files(self, task_id: str, publication: str, folder: Path, tell: Tell) -> None: ...

    def commit(self, task_id: str, manifest: bytes) -> bool:
        return True

    def settled(self, task_id: str) -> None: ...

    def point(self, link: str, task_id: str, even_back: bool) -> bool:
        return True

    def remove_model(self, task_id: str) -> None: ...

    def tidy(self, stale_after_s: float) -> None: ...
