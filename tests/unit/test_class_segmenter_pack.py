"""app_pack.zip of a segmenter with a classes.txt: masks of class numbers, and nothing about foreground."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.unit.small_tflite import small_tflite
from tests.unit.test_app_pack import DAY, SIDE, manifest, metrics, project, unpacked
from tests.waiting import TIMEOUT_S
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.publishing.app_pack import FinishedModel, add_app_pack
from trainer_worker.segmentation.kind import KIND

__all__ = ["project"]  # the fixture
LABELS = ["background", "red", "blue | sky"]


def by_colour(pictures: Any) -> Any:
    """The stand-in for a model: a pixel's red, green and blue as the probabilities of three classes."""
    return ((pictures + 1.0) / (pictures + 1.0).sum(axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture
def files(project: Path) -> dict[str, bytes]:
    folder = project / "model"
    folder.mkdir()
    (folder / "model.tflite").write_bytes(small_tflite())
    said = manifest("segmentation")
    del said["threshold"]
    said |= {"labels": LABELS, "output": {**said["output"], "shape": [None, SIDE, SIDE, 3]}}
    per_class = {
        name: {
            "dice": 0.5,
            "iou": 0.4,
            "pixels": pixels,
            "dice_low": 0.1 if pixels else None,
            "dice_high": 0.8 if pixels else None,
            "pictures": pixels // 2,
            "verdict": "not enough to tell",
        }
        for name, pixels in zip(LABELS, (9, 8, 0), strict=True)
    }
    scores = {**metrics("segmentation"), "per_class": per_class}
    add_app_pack(FinishedModel(KIND, folder, said, scores, UserFiles.at(project)), lambda: by_colour, DAY)
    assert said["warnings"] == []
    return unpacked(folder)


def test_masks_hold_the_number_of_each_pixels_class(files: dict[str, bytes]) -> None:
    expected = json.loads(files["samples/expected.json"])
    assert len(expected) == 3
    for row in expected:
        probabilities = by_colour(np.asarray(Image.open(io.BytesIO(files[row["picture"]])))[None])[0]
        mask = np.asarray(Image.open(io.BytesIO(files[row["mask"]])))
        assert set(np.unique(mask)) == {0, 1, 2}
        np.testing.assert_array_equal(mask, probabilities.argmax(axis=-1))
        assert row["meanProbability"] == pytest.approx(probabilities.mean(axis=(0, 1)), abs=1e-4)


def test_card_and_specification_speak_of_the_classes(files: dict[str, bytes]) -> None:
    output = json.loads(files["input_spec.json"])["output"]
    assert (output["labels"], output["shape"]) == (LABELS, [1, SIDE, SIDE, 3])
    assert "threshold" not in output
    card = files["MODEL_CARD.md"].decode()
    assert "which of 3 classes it shows: background, red, blue \\| sky." in card
    assert "| red | 4 | 50.0 % | 10 to 80 % not enough to tell | 40.0 % |" in card
    assert "| blue \\| sky | 0 | not tested | | not tested |" in card
    assert "foreground" not in card


def test_snippets_know_the_number_of_classes(files: dict[str, bytes]) -> None:
    assert "FloatArray(3)" in files["android/Segmenter.kt"].decode()
    assert "classes = 3\n" in files["ios/Segmenter.swift"].decode()
    assert "CLASSES = 3;" in files["web/segmenter.mjs"].decode()


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_javascript_of_classes_is_javascript(files: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "snippet.mjs").write_bytes(files["web/segmenter.mjs"])
    done = subprocess.run(
        ["node", "--check", str(tmp_path / "snippet.mjs")],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
