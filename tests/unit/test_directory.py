"""One directory by its descriptor: what is no regular file is refused, and costs no descriptor."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from conf.directory import Directory, UnexpectedEntryError


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def large_file(path: Path) -> None:
    path.write_bytes(b"12345")


@pytest.mark.parametrize("plant", [Path.mkdir, os.mkfifo, large_file])
def test_what_cannot_be_read_is_refused_and_leaves_nothing_open(plant: Callable[[Path], None], tmp_path: Path) -> None:
    """Whoever may put a folder in the place of a file could otherwise use up all descriptors of the front-end."""
    plant(tmp_path / "entry")
    with Directory.at(tmp_path) as directory:
        before = descriptors()
        for _ in range(3):
            with pytest.raises(UnexpectedEntryError):
                directory.read("entry", 4)
        assert descriptors() == before


def test_a_file_is_never_written_in_place_of_a_folder(tmp_path: Path) -> None:
    """Also where the folder was put there after the entry had been looked at."""
    (tmp_path / "photos").mkdir()
    with Directory.at(tmp_path) as directory, pytest.raises(IsADirectoryError):
        directory.write_whole("photos", [b"x"], synced=True)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
