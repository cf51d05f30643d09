"""Folders that look like classes but are something else, and folders that were meant as classes but hold no picture."""

from __future__ import annotations

import json
import re

import pytest

from protocol.errors import TrainingError
from tests.project_trees import codes, counts, pictures, tree_of
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.pictures.file_kinds import kind_of

CATS_AND_DOGS = [*pictures("cat"), *pictures("dog")]


@pytest.mark.parametrize(
    ("train", "other", "cure"),
    [
        ("train", "eval", "call eval test or valid"),
        ("training", "validierung", "call validierung test or valid"),
        ("trian", "test", "call trian train"),
    ],
)
def test_parts_of_an_unknown_name_are_no_classes(train: str, other: str, cure: str) -> None:
    folders = [f"{part}/{kind}" for part in (train, other) for kind in ("cat", "dog")]
    with pytest.raises(TrainingError, match=rf"such as cat, dog, .* {cure}") as error:
        recognise_classes(tree_of(*map(pictures, folders)))
    assert error.value.code == "layout_unclear"


@pytest.mark.parametrize("vehicle", ["train", "train_2", "TEST"])
def test_classes_called_like_a_part_train_after_either_cure(vehicle: str) -> None:
    inside = ("front", "rear")
    with pytest.raises(TrainingError, match=r"give \S+ another name, such as \S+, or put") as error:
        recognise_classes(tree_of(*(pictures(f"{kind}/{side}") for kind in (vehicle, "bus") for side in inside)))
    new = re.search(r"such as (\w+), or put the pictures directly into them", error.value.error)
    assert new is not None
    renamed = tree_of(*(pictures(f"{kind}/{side}") for kind in (new[1], "bus") for side in inside))
    assert counts(recognise_classes(renamed)) == {"bus": 6, new[1]: 6}
    assert counts(recognise_classes(tree_of(pictures(vehicle), pictures("bus")))) == {"bus": 3, vehicle: 3}


@pytest.mark.parametrize("part", ["flowers-20260101T101010Z-00{}", "flowers-20260101T101010Z-1-00{}"])
def test_parts_of_a_download_are_no_classes(part: str) -> None:
    folders = [f"{part.format(number)}/flowers/{kind}" for number in (1, 2) for kind in ("rose", "tulip")]
    with pytest.raises(TrainingError, match=r"parts of a download .* Unpack all of them into one folder"):
        recognise_classes(tree_of(*map(pictures, folders)))
    assert counts(recognise_classes(tree_of(*map(pictures, folders[:2])))) == {"rose": 3, "tulip": 3}


@pytest.mark.parametrize(
    "folders",
    [
        [f"{kind}/{time}" for kind in ("train", "bus", "car") for time in ("day", "night")],
        [f"{kind}/{side}" for kind in ("test tube", "beaker", "flask") for side in ("front", "side")],
        ["train/front", "train/interior", "bus/front", "bus/back"],
        [f"{kind}/{camera}" for kind in ("valid", "invalid") for camera in ("cam1", "cam2")],
        [f"{kind}/{year}" for kind in ("training shoes", "sandals", "boots") for year in ("2023", "2024")],
        [f"{kind}/{time}" for kind in ("train_station", "bus_station") for time in ("day", "night")],
        [f"{kind}/{state}" for kind in ("test tube", "beaker") for state in ("full", "empty")],
        ["rose-20260101T101010Z-001", "tulip-20260101T101112Z-001"],
    ],
)
def test_classes_with_folders_inside_or_downloaded_one_by_one_are_classes(folders: list[str]) -> None:
    found = counts(recognise_classes(tree_of(*map(pictures, folders))))
    assert found.keys() == {folder.split("/")[0] for folder in folders}


@pytest.mark.parametrize("name", ["{}.jpg - Shortcut.lnk", "MVI_{}.MOV", ".{}.jpg.icloud"])
def test_a_folder_of_files_that_are_no_pictures_is_named(name: str) -> None:
    layout = recognise_classes(tree_of(CATS_AND_DOGS, pictures("bird", 3, name)))
    (found,) = [each for each in layout.findings if each.code == "empty_classes"]
    assert found.sentence == "Folders without pictures are no classes: bird."
    assert found.cure.startswith("If they are meant as classes")
    assert "empty_classes" not in codes(recognise_classes(tree_of(CATS_AND_DOGS, ["notes/manual.pdf"])))


def test_shortcuts_are_named() -> None:
    layout = recognise_classes(tree_of(CATS_AND_DOGS, pictures("cat", 2, "more{}.lnk")))
    (found,) = layout.findings
    assert (found.code, found.severity, found.count) == ("shortcuts", "warning", 2)
    assert found.cure.startswith("If they lead to pictures")
    assert "an alias of a Mac" in kind_of(b"book\0\0\0\0mark\0\0\0\0", "cat alias")


def test_flags_of_labelme_are_not_sent_to_segmentation() -> None:
    flags = {f"{n}.json": json.dumps({"flags": {"cat": True}, "shapes": []}) for n in range(4)}
    with pytest.raises(TrainingError, match="flags without outlines") as error:
        recognise_classes(tree_of(pictures("", 4), texts=flags))
    assert "segmentation" not in error.value.error
