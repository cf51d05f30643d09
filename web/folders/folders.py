"""What the front-end does with project folders, as one interface for all places where they may lie."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from protocol.corrections import Correction, CorrectionsTable
from protocol.prediction import FolderPicture, ModelFile, Picture, PictureRefused
from protocol.task import TaskSpec
from web.api.folders import FolderListing, ListedFolder
from web.files.open_file import OpenFile, Place
from web.folders.found_folder import BadField, FoundFolder
from web.folders.threads import Threads

#: Corrections of pictures by their names; None takes back what was said of the picture.
Changes = Mapping[str, Correction | None]


class Lent(Protocol):
    """A file that can be opened, as often as needed, while it is lent."""

    def open(self) -> OpenFile:
        """Runs in a thread. Raises PostedFolderError and OSError."""


class NamedPicture(NamedTuple):
    """A picture. name: its path in the project folder of the task, or absolute if there is no task."""

    name: str
    spec: TaskSpec | None = None


class SeenPicture(NamedTuple):
    """A picture that is there. identity: changes when its content does, so nothing has to be read to know that."""

    named: NamedPicture
    identity: tuple[str | int, ...]
    size_bytes: int


class AtHand(NamedTuple):
    """A model and pictures that a runtime process can open. A picture that can't be had is refused in its place."""

    model: ModelFile
    pictures: Sequence[Picture | PictureRefused]


class Folders(ABC):
    """The project folders of one kind of place.

    threads: for files, and for finding folders. browsing: for looking around, so that a slow folder holds up no
    download. answers_at_once: whether a folder is found, and its pictures are counted, so soon that a thread would take
    longer.

    Calls that are not asynchronous run in these threads. Beside what they name they raise PostedFolderError, OSError,
    and Refusal where the place does not answer.
    """

    threads: Threads
    browsing: Threads
    answers_at_once: bool

    @abstractmethod
    def find(self, text: str) -> FoundFolder | BadField:
        """The folder that a projectDir names."""

    @abstractmethod
    def count_pictures(self, path: str) -> int:
        """About how many pictures a project has, for forecasts. 0 if it can't be looked into."""

    @abstractmethod
    async def top(self) -> Sequence[ListedFolder]:
        """The data roots that there are."""

    @abstractmethod
    def list(self, path: str, cursor: str, limit: int) -> FolderListing:
        """One page of a folder. cursor: `next` of the page before. `parent` of the page is None."""

    @abstractmethod
    def look(self, picture: NamedPicture) -> SeenPicture:
        """The picture, if it is one that may be shown. Its name may be anything."""

    @abstractmethod
    def read_corrections(self, path: str) -> CorrectionsTable:
        """The rows of corrections.csv; an empty table if there is none. Raises CorrectionsError."""

    @abstractmethod
    def change_corrections(self, path: str, changes: Changes) -> CorrectionsTable:
        """The table after the changes, which are stored. Raises CorrectionsError."""

    @abstractmethod
    def size_of(self, spec: TaskSpec, place: Place) -> int:
        """The size in bytes of a file of a task's project."""

    @abstractmethod
    def address_of(self, spec: TaskSpec, place: Place, size_bytes: int) -> str:
        """The URL at which a caller gets a file of this size, if the settings want that; "" if we send it.

        It is a secret and is valid for a short time.
        """

    @abstractmethod
    def lent(self, spec: TaskSpec, place: Place) -> AbstractAsyncContextManager[Lent]:
        """A file of a task's project. Raises OSError."""

    @abstractmethod
    def shown(self, seen: SeenPicture) -> AbstractAsyncContextManager[FolderPicture]:
        """The picture, for a runtime process. Raises OSError."""

    @abstractmethod
    def at_hand(self, model: ModelFile, pictures: Sequence[Picture]) -> AbstractAsyncContextManager[AtHand]:
        """The model of a task and pictures in its project, for a runtime process."""
