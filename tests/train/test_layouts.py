"""Real trainings of folders that are no plain class folders: the caller's own split, and archives."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from protocol.options import ClassificationOptions
from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from tests.train.digit_projects import SIZE, write_digits
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, SilentReporter
from trainer_worker.attempt.unpacked_archives import archives_unpacked
from trainer_worker.classification.train import train

OPTIONS = ClassificationOptions(image_size=SIZE, exports=("tflite",), epochs=1)


def trained(project: Path, cache_dir: Path) -> dict[str, Any]:
    """What metrics.json says."""
    job = Job(hex_id("t1"), 1, open_project(project), "classification", OPTIONS, work_dir=cache_dir / "work")
    with archives_unpacked(job, lambda: None) as ready:
        result = train(Attempt(ready, SilentReporter(), cache_dir, 2))
    metrics: dict[str, Any] = json.loads((result.model_path.parent / "metrics.json").read_text())
    return metrics


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_the_callers_split_trains_and_scores(tmp_path: Path, cache_dir: Path) -> None:
    for part, rows in (("train", range(40)), ("valid", range(40, 60)), ("test", range(60, 90))):
        write_digits(tmp_path / part, rows)
    copy = next((tmp_path / "test").rglob("*.png"))
    shutil.copy(copy, tmp_path / "train" / "images" / copy.parent.name / "copy.png")
    metrics = trained(tmp_path, cache_dir)
    assert metrics["labels"] == ["0", "1", "2"]
    assert metrics["images"] == {"train": 40, "held_out": 30}
    assert all(entry["file"].startswith("test/") for entry in metrics["held_out"])
    found = {finding["code"]: finding for finding in metrics["data_report"]["findings"]}
    assert found["callers_split"]["severity"] == "info"
    assert found["callers_split_leaks"]["files"] == [f"train/images/{copy.parent.name}/copy.png"]
    assert any("both parts of the folder's own split" in warning for warning in metrics["warnings"])
    assert metrics["data_report"]["split"] == {"train": 40, "held_out": 30, "unused": 21}


def test_archives_are_trained_on_and_nothing_of_them_is_left(tmp_path: Path, cache_dir: Path) -> None:
    write_digits(tmp_path / "drawn", range(60))
    project = tmp_path / "project"
    project.mkdir()
    for folder in (tmp_path / "drawn" / "images").iterdir():
        with zipfile.ZipFile(project / f"{folder.name}.zip", "w") as archive:
            for path in folder.iterdir():
                archive.write(path, path.name)
    metrics = trained(project, cache_dir)
    assert metrics["labels"] == ["0", "1", "2"]
    assert sum(metrics["images_per_class"].values()) == 60
    assert (project / "models" / hex_id("t1") / "app_pack.zip").is_file()
    assert {path.name for path in project.iterdir()} == {"0.zip", "1.zip", "2.zip", "models", ".tfmodel"}
    assert list((cache_dir / "work").iterdir()) == []
