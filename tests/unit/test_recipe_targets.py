"""What the benchmarks of recipes say of their targets, and how they keep the measured folder untouched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from benchmarks import recipes, segmentation_recipes
from benchmarks.comparison import Contender
from benchmarks.comparison_report import mean_lines, mean_score, set_lines
from benchmarks.comparison_table import Table
from benchmarks.linked_folders import copy_class_folders
from demo.segmentation_data import make_kinds_project
from tests.recipe_results import REVISION, disturbed, table

EVEN = (0.9, 0.91, 0.89, 0.9, 0.9)


def shifted(points: float) -> tuple[float, ...]:
    return tuple(score + points / 100 for score in EVEN)


def verdicts(found: Table, lead: float = 0.0) -> dict[str, str]:
    """The lines about differences, by what they compare."""
    lines = [line for line in set_lines(found, lead) if line.startswith("tfmodel - ")]
    return dict(line.split(": ", 1) for line in lines)


def test_the_better_of_the_other_recipes_is_the_target() -> None:
    """A spread of a hundredth of a point makes the intervals narrow."""
    scores = {"tfmodel": shifted(1.0), "guide": shifted(2.0), "regression": EVEN}
    said = verdicts(table(recipes.COMPARISON, scores))
    assert said["tfmodel - guide"].startswith("-1.00 points (-1.")
    assert said["tfmodel - regression"].startswith("+1.00 points (+0.")
    assert said["tfmodel - the better (guide)"].endswith("target at least equal: MISSED")
    other = verdicts(table(recipes.COMPARISON, {**scores, "guide": EVEN, "regression": shifted(-1.0)}))
    assert other["tfmodel - the better (guide)"].endswith("target at least equal: holds")


def test_little_less_counts_as_equal_and_a_wide_interval_tells_nothing() -> None:
    def said(points: float, guide: tuple[float, ...] = EVEN) -> str:
        scores = {"tfmodel": shifted(points), "guide": guide, "regression": (0.5,) * 5}
        return verdicts(table(recipes.COMPARISON, scores))["tfmodel - the better (guide)"].rpartition(": ")[2]

    assert said(0.6) == "holds"
    assert said(-1.0) == "MISSED"
    assert said(3.0, guide=(0.8, 0.95, 0.85, 0.99, 0.9)) == "cannot tell"


def test_with_few_pictures_it_has_to_be_two_points_ahead() -> None:
    assert [recipes.lead_of(form) for form in ("5 shots, 60 scored", "40 of a class", "40 shots, 9 scored")] == [
        0.02
    ] * 3
    assert [recipes.lead_of(form) for form in ("all", "3 shots, 60 scored", "100 of a class")] == [0.0] * 3
    ahead = table(recipes.COMPARISON, {"tfmodel": shifted(3.0), "guide": EVEN, "regression": EVEN})
    assert verdicts(ahead, 0.02)["tfmodel - the better (guide)"].endswith("at least equal: holds, target +2: holds")
    close = table(recipes.COMPARISON, {"tfmodel": shifted(1.0), "guide": EVEN, "regression": EVEN})
    assert verdicts(close, 0.02)["tfmodel - the better (guide)"].endswith("at least equal: holds, target +2: MISSED")


def test_a_fifth_of_the_guides_time_is_a_target_and_of_the_regression_none() -> None:
    scores = {"tfmodel": EVEN, "guide": EVEN, "regression": EVEN}
    seconds = {"tfmodel": 20.0, "guide": 101.0, "regression": 10.0}
    said = verdicts(table(recipes.COMPARISON, scores, seconds))
    assert said["tfmodel - guide"].endswith("; 0.20 of its time (0.20 to 0.20), target 0.2: holds")
    assert said["tfmodel - regression"].endswith("; 2.00 of its time (2.00 to 2.00)")
    slow = verdicts(table(recipes.COMPARISON, scores, {**seconds, "guide": 90.0}))
    assert slow["tfmodel - guide"].endswith("; 0.22 of its time (0.22 to 0.22), target 0.2: MISSED")


def test_seconds_of_a_busy_machine_are_not_compared() -> None:
    found = table(recipes.COMPARISON, {"tfmodel": EVEN, "guide": EVEN}, {"tfmodel": 10.0})
    assert "0.10 of its time" in verdicts(found)["tfmodel - guide"]
    assert verdicts(disturbed(found, "guide", 1.1))["tfmodel - guide"].endswith("so nothing is said of the time")


def test_one_split_decides_nothing() -> None:
    said = verdicts(table(recipes.COMPARISON, {"tfmodel": [0.9], "guide": [0.5], "regression": [0.5]}), 0.02)
    assert said["tfmodel - the better (guide)"] == (
        "+40.00 points (one split: no interval), target at least equal: cannot tell, target +2: cannot tell"
    )


def test_nothing_is_said_of_a_recipe_that_was_not_run() -> None:
    assert verdicts(table(recipes.COMPARISON, {"guide": EVEN, "regression": EVEN})) == {}
    assert list(verdicts(table(recipes.COMPARISON, {"tfmodel": EVEN, "regression": EVEN}))) == ["tfmodel - regression"]


def test_recipes_that_scored_different_pictures_are_not_compared() -> None:
    found = table(recipes.COMPARISON, {"tfmodel": EVEN, "guide": EVEN})
    guide = Contender("guide", "guide", REVISION)
    moved = {**found.runs[guide], 3: msgspec.structs.replace(found.runs[guide][3], held_out="other pictures")}
    with pytest.raises(ValueError, match="split 3: tfmodel and guide scored different pictures"):
        set_lines(replace(found, runs={**found.runs, guide: moved}), 0.0)


def test_a_variant_is_compared_with_all_others_and_with_tfmodel() -> None:
    found = table(recipes.COMPARISON, {"tfmodel": EVEN, "guide": EVEN, "regression": EVEN, "lite2": shifted(1.0)})
    runs = {
        replace(each, recipe="tfmodel") if each.name == "lite2" else each: runs for each, runs in found.runs.items()
    }
    lines = set_lines(replace(found, runs=runs), 0.0)
    compared = [line.split(": ")[0] for line in lines if line.startswith("lite2 - ")]
    assert compared == ["lite2 - guide", "lite2 - regression", "lite2 - the better (guide)", "lite2 - tfmodel"]


def test_means_over_the_sets_take_the_better_recipe_of_each() -> None:
    pets = table(recipes.COMPARISON, {"tfmodel": EVEN, "guide": shifted(-1.0), "regression": shifted(-3.0)})
    cars = table(
        recipes.COMPARISON, {"tfmodel": EVEN, "guide": shifted(-5.0), "regression": shifted(-2.0)}, set_name="cars"
    )
    means = {line.split(",")[0]: line.split(": ")[1].split()[0] for line in mean_lines([pets, cars], 0.0)}
    assert means == {"tfmodel - guide": "+3.00", "tfmodel - regression": "+2.50", "tfmodel - the better": "+1.50"}
    assert mean_score([pets, cars], "guide") == pytest.approx(0.87)
    partly = table(recipes.COMPARISON, {"tfmodel": EVEN}, set_name="cars")
    assert mean_lines([pets, partly], 0.0) == []
    assert mean_score([pets, partly], "guide") is None


def test_a_mean_of_times_needs_quiet_runs_of_every_set() -> None:
    scores = {"tfmodel": EVEN, "guide": EVEN, "regression": EVEN}
    slow, quick = (table(recipes.COMPARISON, scores, {"tfmodel": seconds}) for seconds in (40.0, 10.0))
    (line,) = [line for line in mean_lines([slow, quick], 0.0) if line.startswith("tfmodel - guide")]
    assert line.endswith("; 0.20 of its time (0.20 to 0.20), target 0.2: holds")
    (line,) = [
        line for line in mean_lines([slow, disturbed(quick, "guide", 1.1)], 0.0) if line.startswith("tfmodel - guide")
    ]
    assert line.endswith("nothing is said of the time")


def test_the_table_of_shots_stands_beside_what_was_published() -> None:
    scores = {"tfmodel": EVEN, "guide": shifted(-1.0), "regression": shifted(-2.0)}
    tables = [table(recipes.COMPARISON, scores, form=form) for form in ("5 shots, 60 scored", "all")]
    rows = [line.rsplit(maxsplit=2) for line in recipes.report_lines(tables)[-7:-1]]
    assert {name.strip(): figures for name, *figures in rows} == {
        "sets": ["1", "1"],
        "tfmodel": ["90.0", "90.0"],
        "guide": ["89.0", "89.0"],
        "regression": ["88.0", "88.0"],
        "Custom Vision, published": ["63.0", "85.3"],
        "Azure's later service, published": ["79.1", "91.0"],
    }
    assert "sets were others" in recipes.report_lines(tables)[-1]


def test_a_segmenter_is_held_against_dice_and_a_third_of_the_time() -> None:
    def said(points: float, seconds: float) -> dict[str, str]:
        scores = {"tfmodel": shifted(points), "unet": EVEN, "unet_equal_time": shifted(-2.0)}
        return verdicts(table(segmentation_recipes.COMPARISON, scores, {"tfmodel": seconds}))

    better = "tfmodel - the better (unet)"
    assert said(0.2, 33.0)["tfmodel - unet"].endswith("target 0.33: holds")
    assert said(0.2, 33.0)[better].endswith("target at least equal: holds")
    assert said(-1.0, 34.0)["tfmodel - unet"].endswith("target 0.33: MISSED")
    assert said(-1.0, 34.0)[better].endswith("target at least equal: MISSED")


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
