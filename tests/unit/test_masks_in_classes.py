"""Masks among the pictures of classes: refused where most classes have them, and named otherwise."""

from __future__ import annotations

import pytest

from protocol.errors import TrainingError
from tests.project_trees import codes, counts, pictures, tree_of
from trainer_worker.layouts.class_folders import recognise_classes

CLASSES = ("benign", "malignant")


@pytest.mark.parametrize(
    ("photos", "masks", "name"),
    [
        ("", "", "{}_mask.png"),
        ("", "", "{}_mask.tif"),
        ("", "masks", "{}_mask.png"),
        ("", "masks", "{}_mask.tif"),
        ("", "masks", "{}.jpg"),
        ("", "labels", "{}.png"),
        ("", "annotations", "{}.png"),
        ("images", "masks", "{}.png"),
        ("images", "masks", "other {}.png"),
    ],
)
def test_masks_in_most_classes_are_refused(photos: str, masks: str, name: str) -> None:
    folders = [(f"{kind}/{photos}".rstrip("/"), f"{kind}/{masks}".rstrip("/")) for kind in CLASSES]
    tree = tree_of(*(pictures(photo) for photo, _ in folders), *(pictures(mask, 3, name) for _, mask in folders))
    with pytest.raises(TrainingError, match="Masks lie beside the pictures in the class folders") as error:
        recognise_classes(tree)
    assert error.value.code == "layout_unsupported"
    assert "Move the masks out of the project" in error.value.error
    assert "If they are photos" in error.value.error
    assert "sort the pictures" not in error.value.error


@pytest.mark.parametrize(
    ("folders", "masks"),
    [
        (("face", "hand"), pictures("face/masks")),
        (("halloween", "easter"), pictures("halloween/mask", 3, "{}.png")),
        (("cat", "dog"), [*pictures("cat/masks", 1), *pictures("dog", 1, "{}_mask.png")]),
        (("cat", "dog"), [*pictures("cat", 3, "{}_mask.jpg"), *pictures("dog", 3, "{}_mask.jpg")]),
    ],
)
def test_masks_of_one_class_and_few_masks_are_named(folders: tuple[str, ...], masks: list[str]) -> None:
    layout = recognise_classes(tree_of(*(pictures(folder, 6) for folder in folders), masks))
    (found,) = [each for each in layout.findings if each.code == "like_masks"]
    assert (found.severity, found.files) == ("warning", tuple(sorted(masks)))
    assert sum(counts(layout).values()) == 12 + len(masks)


@pytest.mark.parametrize("second", ["{}_label.jpg", "{}_target.png", "{}_manual.png", "{}_l.jpg", "{}_color.jpg"])
def test_other_words_in_names_are_those_of_photos(second: str) -> None:
    photos = [pictures(folder, 4, name) for folder in ("cat", "dog") for name in ("{}.jpg", second)]
    layout = recognise_classes(tree_of(*photos))
    assert counts(layout) == {"cat": 8, "dog": 8}
    assert not layout.findings


def test_photos_of_labels_are_pictures_of_their_class() -> None:
    folders = [f"{kind}{inside}" for kind in ("bottle", "can") for inside in ("", "/labels")]
    assert counts(recognise_classes(tree_of(*map(pictures, folders)))) == {"bottle": 6, "can": 6}


@pytest.mark.parametrize("around", ["", "train/"])
def test_a_folder_of_masks_with_a_folder_for_each_class_is_refused(around: str) -> None:
    photos = [pictures(f"{around}{kind}") for kind in ("cat", "dog")]
    masks = [pictures(f"{around}masks/{kind}", 3, "{}.png") for kind in ("cat", "dog")]
    test = [pictures(f"test/{kind}") for kind in ("cat", "dog") if around]
    with pytest.raises(TrainingError, match=r"masks/ holds masks of the pictures in the class folders beside it"):
        recognise_classes(tree_of(*photos, *masks, *test))
    costumes = recognise_classes(tree_of(*photos, pictures(f"{around}masks"), *test))
    assert costumes.labels == ("cat", "dog", "masks")


def test_masks_beside_images_are_not_advised_as_pictures() -> None:
    folders = [f"{around}/{kind}" for around in ("images", "masks") for kind in ("cat", "dog")]
    layout = recognise_classes(tree_of(*map(pictures, folders)))
    (found,) = [each for each in layout.findings if each.code == "unused_pictures"]
    assert "neither masks nor copies" in found.cure


@pytest.mark.parametrize(("photos", "masks"), [("foto", "lbl"), ("rgb", "drawn")])
@pytest.mark.parametrize("name", ["{}.png", "{}.tif", "{}_mask.png"])
def test_two_classes_of_the_same_files_may_be_photos_and_masks(photos: str, masks: str, name: str) -> None:
    few = pictures("few", 1)
    for tree in (
        tree_of(pictures(photos, 4), pictures(masks, 4, name)),
        tree_of(pictures(photos, 4), pictures(masks, 4, name), few),
    ):
        (found,) = [each for each in recognise_classes(tree).findings if each.code == "like_masks"]
        assert (found.severity, found.files) == ("warning", (masks,))
    for paths in (pictures(masks, 4), pictures(masks, 5, name), pictures(masks, 4, f"x{name}")):
        assert not codes(recognise_classes(tree_of(pictures(photos, 4), paths)))


def test_photos_and_masks_that_are_divided_are_named_as_well() -> None:
    parts = [pictures(f"{part}/foto", 4) + pictures(f"{part}/lbl", 4, "{}.png") for part in ("train", "test")]
    found = [each for each in recognise_classes(tree_of(*parts)).findings if each.code == "like_masks"]
    assert [each.files for each in found] == [("test/lbl", "train/lbl")]


def test_names_with_dots_are_compared_without_their_extension() -> None:
    stems = ("a", "a.k", "b", "c")
    paths = [f"{folder}/{stem}{suffix}" for folder, suffix in (("foto", ".jpg"), ("lbl", ".png")) for stem in stems]
    assert codes(recognise_classes(tree_of(paths))) == {"like_masks"}
