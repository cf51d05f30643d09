"""Splits inside of class folders: those of most classes count, and one folder called like a part is only named."""

from __future__ import annotations

import pytest

from protocol.errors import TrainingError
from tests.project_trees import codes, counts, pictures, split, tree_of
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.layouts.layout import ClassLayout

DIVIDED = [f"{kind}/{part}" for kind in ("cat", "dog") for part in ("train", "test")]


def layout_of(*names: str) -> ClassLayout:
    return recognise_classes(tree_of(*map(pictures, names)))


@pytest.mark.parametrize(
    ("folders", "named"),
    [
        (("covid/Test", "mask", "vaccine"), ("covid/Test",)),
        (("circuit/test/a", "circuit/test/b", "resistor"), ("circuit/test",)),
        (("ticket/valid", "bill"), ("ticket/valid",)),
        (("license/valid", "passport/valid"), ("license/valid", "passport/valid")),
        (("alice", "bob", "carl", "dan", "alice/test"), ("alice/test",)),
        (("drum/training", "drum/test", "guitar", "piano"), ("drum/test",)),
        (("cat/images/train", "cat/images/test", "dog", "cow"), ("cat/images/test",)),
        (("train/cat", "train/dog", "test/cat", "test/dog", "train/cat/test"), ("train/cat/test",)),
    ],
)
def test_a_folder_called_like_a_part_in_one_class_is_named(folders: tuple[str, ...], named: tuple[str, ...]) -> None:
    layout = layout_of(*folders)
    assert len(layout.pictures) == 3 * len(folders)
    (found,) = [each for each in layout.findings if each.code == "doubtful_subfolders"]
    assert (found.severity, found.files) == ("warning", named)
    assert "are called like a part of a split" in found.sentence


@pytest.mark.parametrize("folders", [("rail/train", "bus"), ("ticket/valid", "ticket/invalid", "bill")])
def test_folders_that_are_no_parts_are_not_named(folders: tuple[str, ...]) -> None:
    assert codes(layout_of(*folders)) <= {"nested_classes"}


@pytest.mark.parametrize(
    ("cow", "where"),
    [
        (pictures("cow"), "directly in cow/"),
        ([*pictures("cow"), *pictures("cow/test")], "directly in cow/"),
        ([*pictures("cow/train"), *pictures("cow/test"), "cow/1.jpg"], "directly in cow/"),
        ([*pictures("cow/train"), *pictures("cow/ground_truth")], ": in cow/ground_truth/"),
        ([*pictures("cow/train"), *pictures("cow/test"), *pictures("cow/ground_truth")], ": in cow/ground_truth/"),
    ],
)
def test_if_most_classes_are_divided_all_pictures_must_lie_in_parts(cow: list[str], where: str) -> None:
    """What is in `cat/test/` would train otherwise."""
    with pytest.raises(TrainingError) as error:
        recognise_classes(tree_of(*map(pictures, DIVIDED), cow))
    assert error.value.code == "layout_unclear"
    assert where in error.value.error


def test_a_class_may_lack_a_part() -> None:
    """As at the top, where `train/axolotl/` needs no `test/axolotl/`."""
    layout = layout_of(*DIVIDED, "axolotl/train")
    assert counts(layout) == {"axolotl": 3, "cat": 6, "dog": 6}
    assert split(layout) == {"train": 9, "val": 0, "test": 6}
    assert "class_missing_in_test" in codes(layout)
    assert counts(layout_of(*DIVIDED, "axolotl/test")) == {"cat": 6, "dog": 6}


@pytest.mark.parametrize("aside", ["unlabeled", "predictions", "cat_predictions"])
def test_pictures_that_are_set_aside_in_a_divided_class_are_not_used(aside: str) -> None:
    layout = layout_of(*DIVIDED, f"cat/{aside}")
    assert split(layout) == {"train": 6, "val": 0, "test": 6}
    assert codes(layout) == {"callers_split", "unused_pictures"}


@pytest.mark.parametrize("around", ["{}/images", "{}/{}", "{}/photos/all"])
def test_one_folder_may_lie_around_the_parts_of_a_class(around: str) -> None:
    """A zip for each class unpacks so."""
    folders = [f"{around.format(kind, kind)}/{part}" for kind in ("cat", "dog") for part in ("train", "valid")]
    layout = layout_of(*folders)
    assert (layout.name, counts(layout)) == ("class_folders_split", {"cat": 6, "dog": 6})
    assert split(layout) == {"train": 6, "val": 6, "test": 0}
    assert codes(layout) == {"callers_split"}


def test_folders_inside_of_the_parts_of_a_class_are_named_once() -> None:
    folders = [f"cat/{part}/{kind}" for part in ("train", "test") for kind in ("persian", "siamese")]
    assert codes(layout_of(*folders, "dog/train", "dog/test")) == {"callers_split", "nested_classes"}


def test_classes_that_are_divided_without_a_part_to_train_on_stop() -> None:
    folders = [f"{kind}/{part}" for kind in ("cat", "dog") for part in ("val", "test")]
    with pytest.raises(TrainingError, match=r"such as cat/test/, cat/val/, but no part to train on"):
        layout_of(*folders)


def test_one_more_part_that_scores_is_not_used() -> None:
    """As in the well-known set Fruits-360."""
    folders = [f"{part}/{kind}" for part in ("Training", "Test") for kind in ("apple", "pear")]
    layout = layout_of(*folders, "test-multiple_fruits")
    assert split(layout) == {"train": 6, "val": 0, "test": 6}
    assert codes(layout) == {"callers_split", "unused_pictures"}


def test_parts_that_lie_there_twice_count_once() -> None:
    """As in the well-known set of X-ray pictures on Kaggle."""
    folders = [f"{part}/{kind}" for part in ("train", "test") for kind in ("NORMAL", "PNEUMONIA")]
    outer, inner = ([f"{around}/{folder}" for folder in folders] for around in ("xray", "xray/xray"))
    layout = layout_of(*outer, *inner)
    assert split(layout) == {"train": 6, "val": 0, "test": 6}
    assert codes(layout) == {"callers_split", "unused_pictures"}
    with pytest.raises(TrainingError, match="unclear what that stands for"):
        recognise_classes(tree_of(*map(pictures, outer), pictures("xray/xray", name="new{}.jpg")))
