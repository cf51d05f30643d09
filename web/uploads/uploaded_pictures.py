"""Where uploaded pictures are put: an interface for folders of this machine and for object storage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from web.uploads.incoming import Incoming
from web.uploads.upload_store import Total, Upload

#: Names that are tried for a picture whose name is taken.
MOST_NUMBERS = 10_000
#: How many entries of a project are looked at to count its pictures. The folder may have been filled by others.
MOST_COUNTED = 1_000_000


class Placed(NamedTuple):
    """name: of the picture in the folder of its class. is_duplicate: whether it lay there before."""

    name: str
    is_duplicate: bool


class UploadedPictures(ABC):
    """The projects below the first data root. All methods raise OSError, and Refusal where the place does not answer.

    incoming: what has arrived of pictures.
    """

    incoming: Incoming

    @abstractmethod
    def path_of(self, user_id: str, project_id: str) -> str:
        """The projectDir of a project. Raises Refusal if it can have none."""

    @abstractmethod
    def place(self, upload: Upload) -> Placed:
        """Give the picture its name in the folder of its class. upload: its sha256 is known."""

    @abstractmethod
    def has(self, upload: Upload) -> bool:
        """Whether a picture of the same size still lies where the stored picture was put."""

    def gone(self, uploads: Sequence[Upload]) -> list[Upload]:
        """Those of the stored pictures of one project that do not lie there any more."""
        return [upload for upload in uploads if not self.has(upload)]

    @abstractmethod
    def count(self, user_id: str, project_id: str, most: int = MOST_COUNTED) -> dict[str, Total]:
        """The pictures of each class, in the folder as it is now. It is empty if there is no folder.

        most: how many entries are looked at. Pictures and classes beyond them are left out.
        """
