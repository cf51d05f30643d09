"""What benchmarks.recipes says of its targets, and how it keeps the measured folder untouched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.recipes import copy_class_folders, target_lines


def runs(*accuracies: float, seconds: float = 100.0) -> list[dict[str, Any]]:
    return [{"accuracy": accuracy, "seconds": seconds} for accuracy in accuracies]


def test_the_targets_hold_at_their_bounds_and_not_beyond() -> None:
    regression = runs(0.89, 0.89)
    close, far = runs(0.9, 0.91, seconds=20.0), runs(0.89, 0.9, seconds=20.2)
    guide = runs(0.905, 0.914)
    assert target_lines({"tfmodel": close, "guide": guide, "regression": regression}) == [
        "tfmodel - guide: -0.45 points, target -0.5: holds; 0.20 of its time, target 0.2: holds",
        "tfmodel - regression: +1.50 points, target above 0: holds",
    ]
    assert target_lines({"tfmodel": far, "guide": guide, "regression": runs(0.9, 0.9)}) == [
        "tfmodel - guide: -1.45 points, target -0.5: MISSED; 0.20 of its time, target 0.2: MISSED",
        "tfmodel - regression: -0.50 points, target above 0: MISSED",
    ]


def test_nothing_is_said_of_a_recipe_that_was_not_run() -> None:
    assert target_lines({"guide": runs(0.9), "regression": runs(0.9)}) == []
    assert len(target_lines({"tfmodel": runs(0.9), "regression": runs(0.9)})) == 1


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
