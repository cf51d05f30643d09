"""A second task on the same folder computes only what has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocol.options import ClassificationOptions
from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from tests.train.digit_projects import SIZE, digit_file, write_digits
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, SilentReporter
from trainer_worker.classification import features
from trainer_worker.classification import train as classification
from trainer_worker.pictures.images import Box, PictureReader, read_rgb


def task(project: Path, task_id: str, **options: Any) -> dict[str, Any]:
    """Its manifest and metrics in one."""
    job = Job(
        hex_id(task_id),
        1,
        open_project(project),
        "classification",
        ClassificationOptions(image_size=SIZE, exports=("tflite",), **options),
    )
    folder = classification.train(Attempt(job, SilentReporter(), project.parent / "cache", 2)).model_path.parent
    texts = [(folder / name).read_text() for name in ("metrics.json", "manifest.json")]
    return {**json.loads(texts[0]), **json.loads(texts[1])}


@pytest.mark.slow
def test_a_few_more_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    write_digits(project, range(240))
    first = task(project, "first")
    assert first["continued_from"] is None

    read: list[str] = []

    def counting(reader: PictureReader, path: Path, size: tuple[int, int], box: Box) -> Any:
        read.append(path.name)
        return read_rgb(reader, path, size, box)

    monkeypatch.setattr(features, "read_rgb", counting)
    write_digits(project, range(240, 252))
    second = task(project, "second")
    assert set(read) == {f"{row}.png" for row in range(240, 252)}
    assert second["continued_from"] == hex_id("first")
    held_out = [{entry["file"] for entry in run["held_out"]} for run in (first, second)]
    assert held_out[0] < held_out[1]
    new = {digit_file(Path(), row).as_posix() for row in range(240, 252)}
    assert held_out[1] - held_out[0] <= new, "what was trained on must not score"
    assert second["final"]["accuracy"] >= first["final"]["accuracy"] - 0.05
    assert len(second["history"]) < len(first["history"]), "it is trained on for a while, and not from the start"

    read.clear()
    third = task(project, "third", seed=2)
    assert third["continued_from"] is None, "another seed trains from the start, on the same features"
    assert {digit_file(Path(), int(name[:-4])).as_posix() for name in read} <= held_out[1]
    (project / "images" / "1" / "1.png").unlink()
    assert task(project, "fourth", seed=2)["continued_from"] is None, "what was taken back must be forgotten"
