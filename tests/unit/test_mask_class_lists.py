"""Small files beside mask files that list their classes, in the folder itself or one deeper."""

from __future__ import annotations

import pytest

from tests.project_trees import tree_of
from trainer_worker.layouts.masks import recognise_masks

NUMBERS = range(1, 7)
LISTS = {
    "labelmap.txt": ("# name:colour\ncell:1,2,3::\nbackground:0,0,0::\n", [("background", None), ("cell", None)]),
    "class_dict.csv": ("name,r,g,b\nsky,0,0,0\ncell,1,2,3\n", [("sky", None), ("cell", None)]),
    "label_colors.txt": ("1 2 3\tcell\n0 0 0\tVoid stuff\n", [("Void stuff", None), ("cell", None)]),
    "dataset.json": (
        '{"channel_names": {"0": "CT"}, "labels": {"background": 0, "cell": 1, "rim": 2}, "numTraining": 6}',
        [("background", 0), ("cell", 1), ("rim", 2)],
    ),
    "Dataset.JSON": ('{"labels": {"1": "cell", "0": "background"}}', [("background", 0), ("cell", 1)]),
    "_classes.csv": ("Pixel Value, Class\n0, background\n1, cell\n", [("background", 0), ("cell", 1)]),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("folder", ["", "set/"])
def test_lists_of_classes_are_read(name: str, folder: str) -> None:
    content, expected = LISTS[name]
    images, masks = ("imagesTr", "labelsTr") if name.casefold() == "dataset.json" else ("images", "masks")
    names = [f"{folder}{images}/p{n}.jpg" for n in NUMBERS] + [f"{folder}{masks}/p{n}.png" for n in NUMBERS]
    classes = recognise_masks(tree_of(names, texts={f"{folder}{name}": content})).classes
    assert classes is not None
    assert [(found.name, found.number) for found in classes] == expected
    if name in ("labelmap.txt", "class_dict.csv", "label_colors.txt"):
        assert classes[1].colour == (1, 2, 3)


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{",
        '{"title": "cells"}',
        '{"labels": {"all": [1, 2], "core": 2}}',
        '{"labels": {"background": 0, "c": 900}}',
        '{"labels": {"background": 0, "c": %s}}' % ("9" * 5000),
        '{"labels": {"background": 0, "c": "%s"}}' % ("9" * 5000),
    ],
)
def test_a_dataset_json_that_lists_no_numbers_of_classes_is_not_read(content: str) -> None:
    names = [f"imagesTr/p{n}.jpg" for n in NUMBERS] + [f"labelsTr/p{n}.png" for n in NUMBERS]
    assert recognise_masks(tree_of(names, texts={"dataset.json": content})).classes is None


@pytest.mark.parametrize(("masks", "is_read"), [("labelsTr", True), ("masks", False)])
def test_a_dataset_json_is_nnunets_only_beside_its_folder_and_may_list_many_cases(masks: str, is_read: bool) -> None:
    cases = ", ".join(f'{{"image": "imagesTr/p{n}.jpg", "label": "labelsTr/p{n}.png"}}' for n in range(2000))
    content = f'{{"training": [{cases}], "labels": {{"background": 0, "cell": 1}}}}'
    names = [f"imagesTr/p{n}.jpg" for n in NUMBERS] + [f"{masks}/p{n}.png" for n in NUMBERS]
    classes = recognise_masks(tree_of(names, texts={"dataset.json": content})).classes
    assert (classes is not None) == is_read


def test_a_classes_txt_one_folder_deeper_is_found() -> None:
    names = [f"set/images/p{n}.jpg" for n in NUMBERS] + [f"set/masks/p{n}.png" for n in NUMBERS]
    layout = recognise_masks(tree_of(names, texts={"set/classes.txt": "sky\nroad\n"}))
    assert (layout.classes_file, layout.classes) == ("set/classes.txt", None)
