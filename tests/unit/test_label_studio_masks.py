"""Label Studio's brush masks, which name the number of a task instead of the picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protocol.errors import TrainingError
from tests.project_trees import tree_of
from trainer_worker.layouts.layout import ObjectMasks
from trainer_worker.layouts.masks import recognise_masks
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation.folders import Cutting, read_pairs, scan_mask_folders
from trainer_worker.segmentation.mask_sources import read_mask_of

NUMBERS = range(1, 6)
MASKS = [
    f"masks/task-{n}-annotation-{n + 10}-by-1-tag-{tag}-{k}.png"
    for n in NUMBERS
    for tag, k in (("cell", 0), ("cell", 1), ("leaf-green", 0))
]


@pytest.mark.parametrize("name", ["images/task-{}.jpg", "images/{}.png", "images/task_{}.jpg"])
def test_pictures_named_after_their_tasks_get_all_masks_of_the_task(name: str) -> None:
    layout = recognise_masks(tree_of([*MASKS, *(name.format(n) for n in NUMBERS)]))
    assert layout.name == "label_studio_brush"
    assert layout.classes is not None
    assert [found.name for found in layout.classes] == ["background", "cell", "leaf-green"]
    assert [picture.path for picture in layout.pictures] == [name.format(n) for n in NUMBERS]
    first = layout.pictures[0].mask
    assert isinstance(first, ObjectMasks)
    assert [tag for _, tag in first.files] == ["cell", "cell", "leaf-green"]


def test_the_export_tells_which_picture_a_task_is() -> None:
    tasks = [{"id": n, "data": {"image": f"/data/upload/1/0a1b2c3d-p{n}.jpg?x=1"}, "annotations": []} for n in NUMBERS]
    names = [*MASKS, *(f"images/p{n}.jpg" for n in NUMBERS), "images/new.jpg"]
    layout = recognise_masks(tree_of(names, texts={"project-1-at-2026.json": json.dumps(tasks)}))
    assert [picture.path for picture in layout.pictures] == [f"images/p{n}.jpg" for n in NUMBERS]
    assert [file.path for file in layout.unused] == ["images/new.jpg"]


def test_tasks_without_a_picture_stop() -> None:
    with pytest.raises(TrainingError, match="JSON export of the same project") as caught:
        recognise_masks(tree_of([*MASKS, *(f"images/p{n}.jpg" for n in np.arange(5))]))
    assert caught.value.code == "layout_unclear"


def test_two_annotations_of_one_task_stop() -> None:
    names = [*MASKS, "masks/task-1-annotation-99-by-2-tag-cell-0.png", *(f"images/{n}.jpg" for n in NUMBERS)]
    with pytest.raises(TrainingError, match="annotated more than once") as caught:
        recognise_masks(tree_of(names))
    assert caught.value.code == "layout_unclear"


def test_the_masks_of_a_picture_are_laid_together_pixel_by_pixel(tmp_path: Path) -> None:
    boxes = {"cell-0": (2, 3, 9, 9), "cell-1": (20, 3, 30, 9), "leaf-0": (25, 5, 40, 20)}
    by_hand = np.zeros((32, 48), np.uint8)
    for number, (name, (left, top, right, bottom)) in enumerate(boxes.items()):
        mask = np.zeros((32, 48), np.uint8)
        mask[top:bottom, left:right] = 255
        by_hand[top:bottom, left:right] = 1 if number < 2 else 2
        for task in range(1, 5):
            path = tmp_path / "masks" / f"task-{task}-annotation-{task}-by-1-tag-{name}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(mask).save(path)
    for task in range(1, 5):
        Image.new("RGB", (48, 32)).save(tmp_path / f"task-{task}.jpg")
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    examples = read_pairs(folders, Cutting(32), 2, lambda share: None)
    assert (folders.classes.names, set(np.unique(examples.masks))) == (("background", "cell", "leaf"), {0, 1, 2})
    mask = read_mask_of(folders.reader, folders.pairs[0], (32, 48), folders.meaning)
    np.testing.assert_array_equal(mask, by_hand)
