"""What the benchmarks of recipes say of their targets, and how they keep the measured folder untouched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import recipes, segmentation_recipes
from benchmarks.recipes import copy_class_folders
from demo.segmentation_data import make_kinds_project


def runs(*accuracies: float, seconds: float = 100.0) -> list[dict[str, Any]]:
    return [{"scores": {"accuracy": accuracy}, "seconds": seconds} for accuracy in accuracies]


def test_the_targets_hold_at_their_bounds_and_not_beyond() -> None:
    regression = runs(0.89, 0.89)
    close, far = runs(0.9, 0.91, seconds=20.0), runs(0.89, 0.9, seconds=20.2)
    guide = runs(0.905, 0.914)
    assert recipes.COMPARISON.target_lines({"tfmodel": close, "guide": guide, "regression": regression}) == [
        "tfmodel - guide: -0.45 points, target -0.5: holds; 0.20 of its time, target 0.2: holds",
        "tfmodel - regression: +1.50 points, target above 0: holds",
    ]
    assert recipes.COMPARISON.target_lines({"tfmodel": far, "guide": guide, "regression": runs(0.9, 0.9)}) == [
        "tfmodel - guide: -1.45 points, target -0.5: MISSED; 0.20 of its time, target 0.2: MISSED",
        "tfmodel - regression: -0.50 points, target above 0: MISSED",
    ]


def test_nothing_is_said_of_a_recipe_that_was_not_run() -> None:
    assert recipes.COMPARISON.target_lines({"guide": runs(0.9), "regression": runs(0.9)}) == []
    assert len(recipes.COMPARISON.target_lines({"tfmodel": runs(0.9), "regression": runs(0.9)})) == 1


def test_a_segmenter_is_held_against_dice_and_a_third_of_the_time() -> None:
    def segmented(dice: float, seconds: float) -> list[dict[str, Any]]:
        return [{"scores": {"dice": dice, "iou": 0.1}, "seconds": seconds}]

    compare = segmentation_recipes.COMPARISON.target_lines
    assert compare({"tfmodel": segmented(0.896, 33.0), "unet": segmented(0.9, 99.0)}) == [
        "tfmodel - unet: -0.40 points, target -0.5: holds; 0.33 of its time, target 0.33: holds"
    ]
    assert compare({"tfmodel": segmented(0.894, 34.0), "unet": segmented(0.9, 99.0)}) == [
        "tfmodel - unet: -0.60 points, target -0.5: MISSED; 0.34 of its time, target 0.33: MISSED"
    ]
    assert compare({"unet": segmented(0.9, 99.0)}) == []


def test_a_linked_project_leaves_its_source_alone(tmp_path: Path) -> None:
    source, project = tmp_path / "source", tmp_path / "project"
    make_kinds_project(source, images=2, seed=1)
    project.mkdir()
    segmentation_recipes.copy_project(source, project)
    before = sorted(path.relative_to(source) for path in source.rglob("*"))
    (project / "models").mkdir()
    (project / "classes.txt").write_text("changed")
    assert sorted(path.relative_to(source) for path in source.rglob("*")) == before
    assert (source / "classes.txt").read_text().splitlines() == ["background", "zero", "one", "two", "three"]
    with Image.open(next(project.glob("masks/*"))) as mask:
        assert set(np.unique(np.asarray(mask)).tolist()) <= {0, 1, 2, 3, 4}


def test_a_copy_takes_so_many_images_of_each_class(tmp_path: Path) -> None:
    source, project = tmp_path / "source", tmp_path / "project"
    for label, images in (("cat", 4), ("dog", 2)):
        for number in range(images):
            path = source / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"\x89PNG")
    copy_class_folders(source, project, per_class=3)
    assert {folder.name: len(list(folder.iterdir())) for folder in (project / "images").iterdir()} == {
        "cat": 3,
        "dog": 2,
    }
    assert sorted(path.name for path in source.iterdir()) == ["cat", "dog"]
