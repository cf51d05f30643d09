"""Exports for detection and segmentation that were posted as classification: named, and never trained on."""

from __future__ import annotations

import json

import pytest

from protocol.errors import TrainingError
from tests.project_trees import pictures, tree_of
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.layouts.tree import Tree

BOX, POLYGON = "0 0.5 0.5 0.1 0.1\n", "0 0.1 0.1 0.5 0.1 0.5 0.5\n"


def texts(folder: str, suffix: str, content: str, count: int = 3) -> dict[str, str]:
    return {f"{folder}/{number}.{suffix}": content for number in range(count)}


EXPORTS = {
    "VOC masks": (tree_of(pictures("JPEGImages"), pictures("SegmentationClass", 3, "{}.png")), "Pascal VOC", True),
    "VOC in a folder": (
        tree_of(pictures("VOC2012/JPEGImages"), pictures("VOC2012/SegmentationClass")),
        "Pascal VOC",
        True,
    ),
    "VOC boxes": (tree_of(pictures("JPEGImages"), texts=texts("Annotations", "xml", "<a/>")), "Pascal VOC", False),
    "masks": (tree_of(pictures("images"), pictures("masks", 3, "{}_mask.png")), "pictures with masks", True),
    "masks in a folder": (tree_of(pictures("a/imgs"), pictures("a/1st_manual")), "pictures with masks", True),
    "split masks": (
        tree_of(*(pictures(f"{part}/{kind}") for part in ("train", "test") for kind in ("images", "masks"))),
        "pictures with masks",
        True,
    ),
    "photos beside ground truth": (
        tree_of(pictures("CVC/Original", 3, "{}.tif"), pictures("CVC/Ground Truth", 3, "{}.tif")),
        "pictures with masks",
        True,
    ),
    "Cityscapes": (
        tree_of(
            *(pictures(f"leftImg8bit/{part}/bonn", 3, "bonn_{}_leftImg8bit.png") for part in ("train", "val")),
            *(pictures(f"gtFine/{part}/bonn", 3, "bonn_{}_gtFine_labelIds.png") for part in ("train", "val")),
        ),
        "pictures with masks",
        True,
    ),
    "masks in Spanish": (tree_of(pictures("imagenes"), pictures("mascaras", 3, "{}_mask.png")), "with masks", True),
    "masks of two sites": (
        tree_of(*(pictures(f"{site}/{kind}") for site in ("north", "south") for kind in ("images", "masks"))),
        "Masks lie beside the pictures",
        True,
    ),
    "one folder a picture": (
        tree_of(*(pictures(f"stage1/{cell}/{kind}", 1) for cell in "abc" for kind in ("images", "masks"))),
        "Masks lie beside the pictures",
        True,
    ),
    "YOLO boxes": (tree_of(pictures("images"), texts=texts("labels", "txt", BOX)), "YOLO export with boxes", False),
    "YOLO polygons": (
        tree_of(pictures("images"), texts=texts("labels", "txt", POLYGON)),
        "YOLO export with poly",
        True,
    ),
    "YOLO split": (
        tree_of(
            *(pictures(f"{part}/images") for part in ("train", "valid")),
            texts={**texts("train/labels", "txt", BOX), **texts("valid/labels", "txt", BOX), "data.yaml": "nc: 1\n"},
        ),
        "YOLO export with boxes",
        False,
    ),
    "YOLO images/train": (
        tree_of(
            *(pictures(f"images/{part}") for part in ("train", "val")),
            texts={**texts("labels/train", "txt", BOX), **texts("labels/val", "txt", BOX)},
        ),
        "YOLO export with boxes",
        False,
    ),
    "LabelMe": (tree_of(pictures("all"), texts=texts("all", "json", '{"shapes": []}')), "LabelMe", True),
    "VOC beside": (tree_of(pictures("train"), texts=texts("train", "xml", "<annotation/>")), "Pascal VOC", False),
    "COCO": (
        tree_of(
            *(pictures(part) for part in ("train", "valid")),
            texts={
                f"{part}/_annotations.coco.json": json.dumps({"images": [], "annotations": [], "categories": []})
                for part in ("train", "valid")
            },
        ),
        "COCO",
        True,
    ),
    "CVAT": (tree_of(pictures("images"), texts={"annotations.xml": "<annotations/>"}), "CVAT", True),
    "VIA": (
        tree_of(pictures(""), texts={"via.json": '{"a": {"regions": [{"shape_attributes": 1}]}}'}),
        "VGG Image",
        True,
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_are_named_with_the_train_type_that_fits(name: str) -> None:
    tree, kind, segmentation = EXPORTS[name]
    with pytest.raises(TrainingError) as caught:
        recognise_classes(tree)
    assert caught.value.code == "layout_unsupported"
    assert kind in caught.value.error
    assert ("trainType=segmentation" in caught.value.error) == segmentation


@pytest.mark.parametrize(
    "tree",
    [
        tree_of(pictures("mask"), pictures("no_mask")),
        tree_of(pictures("labels"), pictures("receipts")),
        tree_of(pictures("original", 3, "p{}.jpg"), pictures("target", 3, "l{}.jpg")),
        tree_of(pictures("cat"), pictures("dog"), texts=texts("cat", "json", "{}")),
        tree_of(pictures("images/cat"), pictures("images/dog"), texts={"a.json": '{"images": 1, "annotations": 2}'}),
    ],
)
def test_class_folders_are_no_exports(tree: Tree) -> None:
    assert len(recognise_classes(tree).labels) == 2
