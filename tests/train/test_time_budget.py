"""A first usable model early, and a better one in its place."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demo.segmentation_data import make_segmentation_project
from protocol.artifact import UsableModel
from protocol.options import ClassificationOptions, SegmentationOptions
from tests.project_folders import attempt_in, open_project
from tests.sample_tasks import hex_id
from tests.train.digit_projects import SIZE, write_digits
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, SilentReporter
from trainer_worker.backbones.backbone import Backbone
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification import reading
from trainer_worker.classification import train as classification
from trainer_worker.classification.dataset import LEAST_READ_OF_CLASS, balanced_order
from trainer_worker.exporting.scoring import load_predictor
from trainer_worker.segmentation import dataset, interim_model, publication
from trainer_worker.segmentation import train as segmentation
from trainer_worker.segmentation.folders import DECODE_BATCH
from trainer_worker.segmentation.plan import SegmenterPlan

#: A budget that no task of these tests uses up, on a busy machine either.
PLENTY_S = 600


class PowerCutError(Exception):
    """Stands for the end of the process."""


class Watcher(SilentReporter):
    """Notes the phases and first models; calls `at` when a phase begins."""

    def __init__(self, at: Callable[[str], None] = lambda phase: None) -> None:
        self.phases: list[str] = []
        self.first_models: list[dict[str, Any]] = []
        self._at = at

    def enter(self, phase: str) -> None:
        self.phases.append(phase)
        self._at(phase)

    def usable(self, model: UsableModel) -> None:
        self.first_models.append(manifest_of(Path(model.model_path).parent))


def manifest_of(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return manifest


def run(project: Path, reporter: Watcher, **options: Any) -> Path:
    job = Job(
        hex_id("t1"),
        1,
        open_project(project),
        "classification",
        ClassificationOptions(image_size=SIZE, exports=("tflite",), **options),
    )
    return classification.train(Attempt(job, reporter, project.parent / "cache", 2)).model_path.parent


@pytest.mark.slow
def test_killed_later_the_first_model_is_there_and_the_next_attempt_replaces_it(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write_digits(project, range(120))

    def cut(phase: str) -> None:
        if phase == "train":
            raise PowerCutError

    reporter = Watcher(cut)
    with pytest.raises(PowerCutError):
        run(project, reporter, time_budget=PLENTY_S)
    folder = project / "models" / hex_id("t1")
    first = manifest_of(folder)
    assert reporter.first_models == [first]
    assert first["interim"] is True
    assert first["promoted"] is True
    assert (folder.parent / "latest").readlink() == Path(folder.name)
    assert first["metrics"]["accuracy"] > 2 * first["metrics"]["baseline_accuracy"] - 0.5
    outputs = load_predictor(folder / "model.tflite", 1)(np.zeros((1, SIZE, SIZE, 3), np.uint8))
    assert outputs.sum() == pytest.approx(1.0, abs=1e-3)

    again = Watcher(lambda phase: check_a_model_is_there(folder))
    assert run(project, again, time_budget=PLENTY_S) == folder
    assert not again.first_models
    assert "first_features" not in again.phases
    final = manifest_of(folder)
    assert (final["interim"], final["end_reason"]) == (False, "converged")
    assert final["metrics"]["images"] == 120
    assert not list(folder.parent.glob(".*.partial"))


def check_a_model_is_there(folder: Path) -> None:
    assert manifest_of(folder)["interim"] is True


@pytest.mark.slow
def test_a_budget_that_is_too_short_for_all_pictures_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "READING_SHARE", 0.0)
    project = tmp_path / "project"
    write_digits(project, range(120))
    final = manifest_of(run(project, Watcher(), time_budget=40))
    assert final["end_reason"] == "budget"
    assert final["metrics"]["images"] == LEAST_READ_OF_CLASS * 3
    assert any("unread" in warning for warning in final["warnings"])


#: As slow as ResNet50V2.
SLOW = dataclasses.replace(LITE0, features_cost=7.9)


@pytest.mark.parametrize(
    ("backbone", "image_size", "budget_s", "has_time"),
    [
        (SLOW, 512, 0, True),
        (SLOW, 512, 60, False),
        (SLOW, 512, 900, True),
        (LITE0, 224, 120, True),
        (LITE0, 224, 20, False),  # the first model comes first
    ],
)
def test_views_are_looked_at_in_a_small_share_of_the_budget(
    backbone: Backbone, image_size: int, budget_s: int, has_time: bool
) -> None:
    options = SegmentationOptions(image_size=image_size, time_budget=budget_s)
    assert SegmenterPlan(100, 1, options, backbone, 1).has_time_for_views is has_time


@pytest.mark.slow
@pytest.mark.parametrize("tiles", [0, 4])
def test_a_segmenter_of_a_budget_has_a_first_model_too(
    tmp_path: Path, tiles: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may come in the middle of the first epoch. It is scored on few pictures, or few tiles of pictures."""
    monkeypatch.setattr(interim_model, "INTERIM_MODEL_SHARE", 0.0)
    monkeypatch.setattr(publication, "INTERIM_CHECKED", 3)
    project = tmp_path / "project"
    make_segmentation_project(project, images=24, seed=1)
    options = SegmentationOptions(image_size=SIZE, exports=("tflite",), tiles=tiles, epochs=4, time_budget=PLENTY_S)
    watcher = Watcher()
    folder = segmentation.train(attempt_in(project, options, watcher)).model_path.parent
    (first,) = watcher.first_models
    assert first["interim"] is True
    assert watcher.phases.index("first_export") < watcher.phases.index("export")
    assert watcher.phases[watcher.phases.index("first_check") + 1 :][0] == "train"
    assert manifest_of(folder)["interim"] is False
    assert first["exports"]["pictures"] <= 3
    name = "dice_of_squares" if tiles else "dice"  # the first model for tiles is not scored on whole pictures
    assert name in first["metrics"]
    assert ("dice" in first["metrics"]) == (tiles == 0)
    assert "dice" in manifest_of(folder)["metrics"]
    assert manifest_of(folder)["exports"]["pictures"] >= 5


@pytest.mark.slow
def test_a_segmenter_s_budget_that_is_too_short_for_all_pictures_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "READING_SHARE", 0.0)
    project = tmp_path / "project"
    make_segmentation_project(project, images=24, seed=1)
    options = SegmentationOptions(image_size=SIZE, exports=("tflite",), epochs=2, time_budget=40)
    result = segmentation.train(attempt_in(project, options, Watcher()))
    manifest = manifest_of(result.model_path.parent)
    assert result.end_reason == manifest["end_reason"] == "budget"
    assert f"The time budget left {24 - DECODE_BATCH} of 24 pictures unread." in manifest["warnings"]


def test_an_early_part_of_the_order_is_as_even_as_the_classes_allow() -> None:
    classes = np.array([0] * 50 + [1] * 5 + [2] * 45)
    order = balanced_order(classes)
    assert sorted(order.tolist()) == list(range(100))
    assert np.bincount(classes[order[:35]]).tolist() == [15, 5, 15]
    assert order.tolist() == balanced_order(classes).tolist()
