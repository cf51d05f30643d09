"""Real trainings in folders whose .tfmodel/ somebody else has written to."""

from __future__ import annotations

import json
import random
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demo.segmentation_data import make_segmentation_project
from protocol.options import ClassificationOptions, SegmentationOptions
from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from tests.security.mutations import mutate
from tests.train.digit_projects import SIZE, write_digits
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Epoch, Job, SilentReporter
from trainer_worker.classification import train as classification
from trainer_worker.exporting.scoring import ScoringProcess
from trainer_worker.optimization import epochs
from trainer_worker.segmentation import train as segmentation

#: So many digits are scored by a held-out part. Where folds are needed, no training continues from the last one.
WITHOUT_FOLDS = 240
pytestmark = pytest.mark.usefixtures("saved_each_epoch")


class PowerCutError(Exception):
    """Stands for the end of the process."""


class CuttingReporter(SilentReporter):
    """Ends the process after an epoch, when its checkpoint has been left."""

    def epoch(self, epoch: Epoch) -> None:
        if epoch.number == 2:
            raise PowerCutError


def job_on(project: Path, work_dir: Path, name: str = "t1") -> Job:
    options = ClassificationOptions(image_size=SIZE, epochs=3, exports=("tflite",))
    return Job(hex_id(name), 1, open_project(project), "classification", options, work_dir=work_dir)


def change_values(path: Path, value: float) -> None:
    """Change the last arrays of a checkpoint, or half of a picture's features, and write the checksum that fits."""
    content = path.read_bytes()[:-4]
    facts_bytes = 8 + int.from_bytes(content[:8]) if path.suffix == ".checkpoint" else 0
    count = (len(content) - facts_bytes) // 8
    content = content[: -4 * count] + np.full(count, value, np.float32).tobytes()
    path.write_bytes(content + zlib.crc32(content).to_bytes(4))


def huge_values(path: Path) -> None:
    change_values(path, 3e38)


def no_numbers(path: Path) -> None:
    change_values(path, float("nan"))


def at_random(path: Path) -> None:
    mutate(path, path.parent, random.Random(7))


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was trained once, got more pictures, and lost its second training."""
    folder = tmp_path_factory.mktemp("cut_off")
    project = folder / "project"
    write_digits(project, range(WITHOUT_FOLDS))
    classification.train(Attempt(job_on(project, folder / "work", "first"), SilentReporter(), folder / "cache", 2))
    write_digits(project, range(WITHOUT_FOLDS, WITHOUT_FOLDS + 6))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(epochs, "CHECKPOINT_INTERVAL_S", 0.0)
        with pytest.raises(PowerCutError):
            classification.train(Attempt(job_on(project, folder / "work"), CuttingReporter(), folder / "cache", 2))
    return project


@pytest.mark.slow
@pytest.mark.parametrize("damage", [huge_values, no_numbers, at_random])
def test_a_classifier_is_trained_whatever_was_kept(
    tmp_path: Path, cut_off: Path, damage: Callable[[Path], None]
) -> None:
    project = Path(shutil.copytree(cut_off, tmp_path / "project", symlinks=True))
    kept = [path for path in sorted((project / ".tfmodel").rglob("*.*")) if path.is_file()]
    assert {path.name for path in kept} >= {"classification.checkpoint", "more.checkpoint"}
    for path in kept:
        if path.exists():  # a folder of several may have been replaced
            damage(path)
    result = classification.train(Attempt(job_on(project, tmp_path / "work"), SilentReporter(), tmp_path / "cache", 2))
    assert result.metrics["accuracy"] > 0.5
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.slow
def test_a_segmenter_whose_checkpoint_leads_to_no_numbers_begins_anew(tmp_path: Path) -> None:
    project = tmp_path / "project"
    make_segmentation_project(project, images=16, seed=1)
    options = SegmentationOptions(image_size=SIZE, exports=("tflite",), epochs=3)

    def train(reporter: SilentReporter) -> Any:
        job = Job(hex_id("t1"), 1, open_project(project), "segmentation", options, work_dir=tmp_path)
        result = segmentation.train(Attempt(job, reporter, tmp_path, 2))
        return json.loads((result.model_path.parent / "metrics.json").read_text())["history"]

    whole = train(SilentReporter())
    shutil.rmtree(project / "models")
    shutil.rmtree(project / ".tfmodel")
    with pytest.raises(PowerCutError):
        train(CuttingReporter())
    (kept,) = project.glob(".tfmodel/tasks/*/checkpoints/decoder.checkpoint")
    huge_values(kept)
    assert train(SilentReporter()) == whole


@pytest.mark.slow
def test_no_file_is_loaded_from_the_project_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody could swap a SavedModel between its check and its use, and its operations would run."""
    project, loaded = tmp_path / "project", []
    load = ScoringProcess.load

    def told(process: ScoringProcess, path: Path) -> None:
        loaded.append(path)
        load(process, path)

    monkeypatch.setattr(ScoringProcess, "load", told)
    write_digits(project, range(60))
    options = ClassificationOptions(image_size=SIZE, epochs=1, exports=("tflite", "saved_model"))
    job = Job(hex_id("t1"), 1, open_project(project), "classification", options, work_dir=tmp_path / "work")
    result = classification.train(Attempt(job, SilentReporter(), tmp_path / "cache", 2))
    assert {path.name for path in loaded} == {"model.tflite", "saved_model"}
    assert all(path.is_relative_to(tmp_path / "work") for path in loaded)
    manifest = json.loads((result.model_path.parent / "manifest.json").read_text())
    listed = {file["path"] for file in manifest["files"]}
    assert {
        "model.tflite",
        "saved_model/saved_model.pb",
        "labels.txt",
        "metrics.json",
        "held_out.json",
        "app_pack.zip",
    } <= listed
    assert all((result.model_path.parent / path).is_file() for path in listed)
