"""What counts as a picture in a project folder, and where the count ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from web.forecast import picture_counts
from web.forecast.picture_counts import MOST_LEVELS, count_pictures


def fill(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_images_are_counted_and_nothing_else_beside_them(tmp_path: Path) -> None:
    fill(tmp_path / "images", "d.jpg")
    fill(tmp_path / "images" / "daisy", "a.jpg", "b.png", ".DS_Store")
    fill(tmp_path / "images" / "masks", "c.jpg")
    fill(tmp_path / "masks", "a.png")
    fill(tmp_path / "other", "a.png")
    fill(tmp_path / "models" / "t0", "model.tflite")
    fill(tmp_path / "images" / ".thumbnails", "a.jpg")
    assert count_pictures(str(tmp_path)) == 4


def test_class_folders_may_lie_in_the_project_itself(tmp_path: Path) -> None:
    fill(tmp_path / "daisy", "a.jpg", "b.png")
    fill(tmp_path / "rose" / "more", "c.jpg")
    fill(tmp_path / "models" / "t0", "model.tflite")
    fill(tmp_path / "Labels", "a.png")
    fill(tmp_path / ".tfmodel", "features")
    fill(tmp_path, "labels_info.txt")
    assert count_pictures(str(tmp_path)) == 3


def test_a_folder_without_pictures_or_without_a_folder_counts_nothing(tmp_path: Path) -> None:
    assert count_pictures(str(tmp_path)) == 0
    assert count_pictures(str(tmp_path / "gone")) == 0


@pytest.mark.door(1)
@pytest.mark.parametrize("link", ["images", "daisy", "images/daisy", "."])
def test_no_link_leads_the_count_out_of_the_project(tmp_path: Path, link: str) -> None:
    """Otherwise anybody could learn how many files a folder of the machine has, and keep the counting thread busy."""
    fill(tmp_path / "another's" / "photos", "a.jpg", "b.jpg")
    project = tmp_path / "project"
    (project / link).parent.mkdir(parents=True, exist_ok=True)
    (project / link).symlink_to(tmp_path / "another's", target_is_directory=True)
    inside = 1 if link == "images/daisy" else 0  # The link itself may be a picture, so it counts as one.
    assert count_pictures(str(project)) == inside


def test_a_tree_without_end_is_not_descended(tmp_path: Path) -> None:
    """Each level holds a descriptor, and connections need those."""
    fill(tmp_path / "images" / "daisy", "a.jpg")
    fill(tmp_path / "images" / "/".join("d" * 2 * MOST_LEVELS), "b.jpg")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the same listing costs one descriptor both times
    assert count_pictures(str(tmp_path)) == 1
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.parametrize("folder", ["images", "."])
def test_a_folder_with_more_entries_than_anybody_trains_on_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setattr(picture_counts, "MOST_ENTRIES", 5)
    fill(tmp_path / folder / "daisy", *(f"{number}.jpg" for number in range(9)))
    seen: list[str] = []
    scandir = os.scandir

    class Watched:
        def __init__(self, descriptor: int) -> None:
            self._entries = scandir(descriptor)

        def __enter__(self) -> Watched:
            return self

        def __exit__(self, *error: object) -> None:
            self._entries.close()

        def __iter__(self) -> Watched:
            return self

        def __next__(self) -> os.DirEntry[str]:
            entry = next(self._entries)
            seen.append(entry.name)
            return entry

    monkeypatch.setattr(os, "scandir", Watched)
    assert count_pictures(str(tmp_path)) == 4, "the class folder is an entry too"
    assert len(seen) <= 6
