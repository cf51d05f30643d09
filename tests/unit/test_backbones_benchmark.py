"""What benchmarks.backbones measures of a training: its outcome, and the size of the model that was published."""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks import backbones
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.model_folder import ModelFolder


class PublishingComparison:
    """Stands for a whole training: it only publishes a model of 2,000 bytes, as the trainer of a recipe does."""

    def run(self, recipe: str, project: Path, flags: Sequence[str]) -> dict[str, Any]:
        with ProjectFolder.open(project) as opened, ModelFolder(opened, "0" * 32, 1) as model:
            model.add("model.tflite", io.BytesIO(bytes(2000)))
            model.publish({})
        return {"seconds": 1.0}


def test_the_size_of_the_published_model_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for number in range(2):
            Image.new("RGB", (8, 8)).save(tmp_path / label / f"{number}.png")
    monkeypatch.setattr(backbones, "COMPARISON", PublishingComparison())
    arguments = argparse.Namespace(
        dataset=tmp_path, per_class=0, threads=1, cache_dir=tmp_path, image_size=64, weights_dir=tmp_path
    )
    assert backbones.measure("lite0", 1, arguments) == {"seconds": 1.0, "model_mb": 0.002}
