"""What a scenario of a power cut is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol


class Problem(NamedTuple):
    """lost: what was acknowledged is gone. torn: something is half there, or the service can't go on from it."""

    kind: Literal["lost", "torn"]
    sentence: str


class Scenario(Protocol):
    """One kind of thing that the service keeps on disk."""

    #: As the table has it.
    name: str
    #: Whether something would be lost or torn if no folder was ever synced.
    needs_synced_folders: bool

    def prepare(self, folder: Path) -> None:
        """Fill the folder with what is there, and synced, before the recording begins."""

    def act(self, folder: Path) -> None:
        """Do what is recorded, in a process of its own, and `mark` what others have been told."""

    def problems(self, folder: Path, marks: Sequence[str]) -> Iterable[Problem]:
        """What is wrong with a folder that a power cut has left. marks: what was marked before the cut."""
