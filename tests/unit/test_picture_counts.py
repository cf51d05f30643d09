"""Counting folders aside from the event loop: what counts, how long anybody waits, and what is remembered."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from protocol.task import Task
from tests.sample_tasks import make_spec
from web import picture_counts
from web.picture_counts import PictureCounts, count_files


def fill(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def task(task_id: str, project: Path) -> Task:
    return Task(make_spec(task_id, project_path=str(project)))


def test_images_are_counted_and_nothing_else_beside_them(tmp_path: Path) -> None:
    fill(tmp_path / "images" / "daisy", "a.jpg", "b.png", ".DS_Store")
    fill(tmp_path / "images" / "rose", "c.jpg")
    fill(tmp_path / "masks", "a.png")
    fill(tmp_path / "models" / "t0", "model.tflite")
    fill(tmp_path / "images" / ".thumbnails", "a.jpg")
    assert count_files(str(tmp_path)) == 3


def test_class_folders_may_lie_in_the_project_itself(tmp_path: Path) -> None:
    fill(tmp_path / "daisy", "a.jpg", "b.png")
    fill(tmp_path / "rose" / "more", "c.jpg")
    fill(tmp_path / "models" / "t0", "model.tflite")
    fill(tmp_path / ".tfmodel", "features")
    fill(tmp_path, "labels_info.txt")
    assert count_files(str(tmp_path)) == 3


def test_a_folder_without_pictures_or_without_a_folder_has_no_count(tmp_path: Path) -> None:
    assert count_files(str(tmp_path)) is None
    assert count_files(str(tmp_path / "gone")) is None


@pytest.mark.door(1)
@pytest.mark.parametrize("link", ["images", "daisy", "images/daisy", "."])
def test_no_link_leads_the_count_out_of_the_project(tmp_path: Path, link: str) -> None:
    """Else anybody could learn how many files a folder of the machine has, and keep the counting thread busy."""
    fill(tmp_path / "another's" / "photos", "a.jpg", "b.jpg")
    project = tmp_path / "project"
    (project / link).parent.mkdir(parents=True, exist_ok=True)
    (project / link).symlink_to(tmp_path / "another's", target_is_directory=True)
    assert count_files(str(project)) is None


def test_a_tree_without_end_is_not_gone_down(tmp_path: Path) -> None:
    """Each level holds a descriptor, and those are the ones that connections need."""
    fill(tmp_path / "images" / "daisy", "a.jpg")
    fill(tmp_path / "images" / "/".join("d" * 100), "b.jpg")
    assert count_files(str(tmp_path)) == 1


def test_a_task_is_counted_once_and_the_oldest_counts_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_counts, "MOST_TASKS", 2)
    fill(tmp_path / "images", "a.jpg")

    async def run() -> dict[str, int]:
        counts = PictureCounts()
        await counts.count(task("t1", tmp_path), 10.0)
        fill(tmp_path / "images", "b.jpg")
        for task_id in ("t1", "t2", "t3"):
            await counts.count(task(task_id, tmp_path), 10.0)
            assert counts.known()["t1" if task_id == "t1" else "t2"] == (1 if task_id == "t1" else 2)
        return counts.known()

    assert asyncio.run(run()) == {"t2": 2, "t3": 2}


def test_a_slow_disk_holds_nobody_up_and_further_tasks_stay_uncounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_answers = threading.Event()

    def slow_count(project_path: str) -> int:
        disk_answers.wait(10.0)
        return 7

    monkeypatch.setattr(picture_counts, "count_files", slow_count)
    monkeypatch.setattr(picture_counts, "MOST_UNDER_WAY", 2)

    async def run() -> dict[str, int]:
        counts = PictureCounts()
        began_s = time.monotonic()
        for task_id in ("t1", "t2", "t3"):
            await counts.count(task(task_id, tmp_path), 0.01)
        assert time.monotonic() - began_s < 5.0
        assert counts.known() == {}
        disk_answers.set()
        await counts.count(task("t1", tmp_path), 10.0)
        await counts.count(task("t2", tmp_path), 10.0)
        return counts.known()

    assert asyncio.run(run()) == {"t1": 7, "t2": 7}
