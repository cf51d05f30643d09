"""What is new in a folder since its last model, by content."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from protocol.data_report import Finding, Severity
from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from trainer_worker.checking.folder import check_folder
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.layouts.layout import MaskedFile, MaskFile, MaskLayout
from trainer_worker.layouts.tree import walk
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.project.trained_pictures import (
    News,
    SeenPicture,
    news_finding,
    recall_pictures,
    remember_pictures,
    seen_pictures,
    what_is_new,
)
from trainer_worker.project.unchanged import read_contents
from trainer_worker.training.registry import load_kind

TASK = (hex_id("t1"), "classification")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Eight pictures of different sizes in two classes. Nothing here decodes them."""
    for number in range(8):
        path = tmp_path / "images" / ("cat" if number < 4 else "dog") / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]) * (100 + number))
    return tmp_path


def remember(project: Path) -> None:
    """As a training does at its end."""
    contents = read_contents(UserFiles.at(project))
    seen = seen_pictures(contents.tree, recognise_classes(contents.tree))
    remember_pictures(open_project(project), TASK, seen, contents.hashes)


def news_of(project: Path) -> tuple[News, list[str]]:
    """What a check finds to be new, and the files that it has hashed for that."""
    hashed: list[str] = []

    def hash_files(paths: list[str]) -> list[str]:
        hashed.extend(paths)
        return [hashlib.sha256((project / path).read_bytes()).hexdigest() for path in paths]

    before = recall_pictures(open_project(project), "classification")
    assert before is not None
    tree = walk(UserFiles.at(project))
    return what_is_new(before, seen_pictures(tree, recognise_classes(tree)), hash_files), hashed  # type: ignore[arg-type]


def test_nothing_is_new_right_after_a_training_and_nothing_is_hashed(project: Path) -> None:
    remember(project)

    assert news_of(project) == (News([], [], []), [])


def test_added_removed_and_moved_pictures_are_told_apart(project: Path) -> None:
    remember(project)
    (project / "images" / "cat" / "new.jpg").write_bytes(b"n" * 500)
    (project / "images" / "dog" / "7.jpg").unlink()
    (project / "images" / "cat" / "0.jpg").rename(project / "images" / "dog" / "moved.jpg")
    (project / "images" / "cat" / "1.jpg").rename(project / "images" / "cat" / "renamed.jpg")

    news, hashed = news_of(project)

    assert news == News(["images/cat/new.jpg"], ["images/dog/7.jpg"], ["images/dog/moved.jpg"])
    assert sorted(hashed) == ["images/cat/renamed.jpg", "images/dog/moved.jpg"]


def test_a_picture_that_was_changed_in_its_place_is_another(project: Path) -> None:
    remember(project)
    (project / "images" / "cat" / "0.jpg").write_bytes(b"another picture")

    assert news_of(project)[0] == News(["images/cat/0.jpg"], ["images/cat/0.jpg"], [])


def test_a_training_sees_a_change_that_kept_the_size(project: Path) -> None:
    remember(project)
    (project / "images" / "cat" / "0.jpg").write_bytes(b"x" * 100)
    contents = read_contents(UserFiles.at(project))
    before = recall_pictures(open_project(project), "classification")
    assert before is not None
    seen = seen_pictures(contents.tree, recognise_classes(contents.tree))

    news = what_is_new(before, seen, lambda paths: [contents.hashes[path] for path in paths], contents.hashes)

    assert news == News(["images/cat/0.jpg"], ["images/cat/0.jpg"], [])


@pytest.mark.parametrize(
    ("news", "advice"),
    [
        (News([], [], []), "only repeat"),
        (News(["a"], [], []), "change little"),
        (News(["a"] * 5, [], []), "worthwhile"),
        (News([], ["a"], []), "removed or changed"),
        (News(["a"] * 5, [], ["b"]), "removed or changed"),
    ],
)
def test_the_advice_follows_from_what_is_new(project: Path, news: News, advice: str) -> None:
    seen = {f"{number}.jpg": SeenPicture(1, "cat") for number in range(100)}
    remember_pictures(open_project(project), TASK, seen, dict.fromkeys(seen, "0" * 64))
    before = recall_pictures(open_project(project), "classification")
    assert before is not None

    assert advice in news_finding(before, news).cure


def test_names_that_are_not_utf8_do_not_break_the_record(project: Path) -> None:
    tree = walk(UserFiles.at(project))
    masks = tuple(MaskedFile(path, MaskFile("m\udce9/mask.png")) for path in tree.files)
    seen = seen_pictures(tree, MaskLayout("mask_files", "", None, masks))
    remember_pictures(open_project(project), (hex_id("t1"), "segmentation"), seen, dict.fromkeys(seen, "0" * 64))

    before = recall_pictures(open_project(project), "segmentation")

    assert before is not None
    assert before.pictures.keys() == tree.files.keys()


def checked(project: Path) -> list[Finding]:
    report = check_folder(load_kind("classification"), open_project(project), time.monotonic() + 10.0)
    return [finding for finding in report.findings if finding.code == "new_since_last_model"]


def test_a_check_says_what_is_new(project: Path) -> None:
    assert checked(project) == [], "there is no model yet"
    remember(project)
    (project / "images" / "cat" / "new.jpg").write_bytes(b"n" * 500)

    (found,) = checked(project)

    assert (found.severity, found.files, found.count) == (Severity.INFO, ("images/cat/new.jpg",), 1)
    assert "1 pictures were added, 0 were removed" in found.sentence


def test_models_of_another_train_type_are_not_compared_with(project: Path) -> None:
    remember(project)

    assert recall_pictures(open_project(project), "segmentation") is None


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, b'{"task_id": 1}'])
def test_a_damaged_record_counts_as_none(project: Path, damage: bytes) -> None:
    remember(project)
    (project / ".tfmodel" / "last" / "pictures.checkpoint").write_bytes(damage)

    assert checked(project) == []
