"""A training whose pictures went wrong doesn't replace the model in use, and the pictures that tell are kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from demo.segmentation_data import make_segmentation_project
from protocol.artifact import UsableModel
from protocol.options import ClassificationOptions, SegmentationOptions
from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from tests.train.comparison_arithmetic import check_comparison
from tests.train.digit_projects import SIZE, write_digits
from tests.train.mask_arithmetic import check_mask_report
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Cancelled, Job, Reporter, SilentReporter, TrainingResult
from trainer_worker.classification import train as classification
from trainer_worker.segmentation import train as segmentation


def classify(project: Path, task_id: str, reporter: Reporter | None = None, **options: Any) -> TrainingResult:
    typed = ClassificationOptions(image_size=SIZE, exports=("tflite",), epochs=2, **options)
    job = Job(hex_id(task_id), 1, open_project(project), "classification", typed)
    return classification.train(Attempt(job, reporter or SilentReporter(), project.parent / "cache", 2))


def segment(project: Path, task_id: str, **options: Any) -> TrainingResult:
    typed = SegmentationOptions(image_size=SIZE, exports=("tflite",), epochs=6, **options)
    job = Job(hex_id(task_id), 1, open_project(project), "segmentation", typed)
    return segmentation.train(Attempt(job, SilentReporter(), project.parent / "cache", 2))


def metrics_of(result: TrainingResult) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((result.model_path.parent / "metrics.json").read_text())
    return metrics


def held_out_of(result: TrainingResult) -> dict[str, Any]:
    """By file."""
    return {entry["file"]: entry for entry in metrics_of(result)["held_out"]}


def latest(project: Path) -> str:
    return str((project / "models" / "latest").readlink())


def scramble_labels(project: Path, kept: set[str]) -> None:
    """Move each picture into the next class but for some."""
    files = sorted((project / "images").glob("*/*.png"))
    for file in files:
        if file.relative_to(project).as_posix() not in kept:
            wrong = project / "wrong" / str((int(file.parent.name) + 1) % 3)
            wrong.mkdir(parents=True, exist_ok=True)
            file.rename(wrong / file.name)
    for file in (project / "wrong").glob("*/*.png"):
        file.rename(project / "images" / file.parent.name / file.name)
    shutil.rmtree(project / "wrong")


@pytest.mark.slow
def test_a_classifier_of_scrambled_labels_does_not_come_into_use(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write_digits(project, range(180))
    good = classify(project, "good")
    assert good.comparison is None
    known = held_out_of(good)
    scramble_labels(project, kept=set(known))

    bad = classify(project, "bad", seed=2, validation_split=0.1)
    assert held_out_of(bad).keys() == known.keys(), "held out again, whatever the seed and the share"
    assert bad.comparison is not None
    assert not bad.comparison.promoted
    assert latest(project) == hex_id("good")
    told = metrics_of(bad)["comparison"]
    assert (told["with_task"], told["pictures"], told["promoted"]) == (hex_id("good"), len(known), False)
    check_comparison(bad.model_path.parent, good.model_path.parent)
    right = [
        sum(entry["truth"] == entry["predicted"] for entry in held_out_of(result).values()) for result in (bad, good)
    ]
    assert f"({right[0]} against {right[1]} right" in told["sentence"]


@pytest.mark.slow
def test_new_pictures_get_their_share_held_out(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write_digits(project, range(60))
    before = held_out_of(classify(project, "before"))
    write_digits(project, range(60, 120))
    after = held_out_of(classify(project, "after", seed=5))
    assert before.keys() < after.keys()
    assert len(after) == pytest.approx(2 * len(before), abs=2)


class CuttingReporter(SilentReporter):
    """Ends the task when its interim model is there."""

    def usable(self, model: UsableModel) -> None:
        raise Cancelled


@pytest.mark.slow
def test_an_interim_model_does_not_replace_a_finished_one(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write_digits(project, range(60))
    classify(project, "finished")
    with pytest.raises(Cancelled):
        classify(project, "interim", CuttingReporter(), time_budget=600)
    manifest = json.loads((project / "models" / hex_id("interim") / "manifest.json").read_text())
    assert (manifest["interim"], manifest["promoted"]) == (True, False)
    assert latest(project) == hex_id("finished")


@pytest.mark.slow
def test_a_segmenter_of_wrong_masks_does_not_come_into_use(tmp_path: Path) -> None:
    project = tmp_path / "project"
    make_segmentation_project(project, images=40, seed=1)
    good = segment(project, "good")
    known = held_out_of(good)
    held_out = {Path(file).stem for file in known}
    for file in (project / "masks").iterdir():
        if file.stem.removesuffix("_mask") not in held_out:
            Image.fromarray(255 - np.asarray(Image.open(file).convert("L"))).save(file)

    bad = segment(project, "bad", seed=2)
    assert held_out_of(bad).keys() == known.keys()
    assert bad.comparison is not None
    assert (bad.comparison.pictures, bad.comparison.promoted) == (len(known), False)
    assert bad.comparison.score_before == pytest.approx(np.mean([entry["dice"] for entry in known.values()]))
    check_comparison(bad.model_path.parent, good.model_path.parent)
    check_mask_report(good.model_path.parent)
    assert latest(project) == hex_id("good")
