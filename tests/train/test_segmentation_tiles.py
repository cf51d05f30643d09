"""Segmentation by tiles: thin lines on pictures twice as large as the model's input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demo.segmentation_data import make_thin_lines_project
from protocol.options import SegmentationOptions
from tests.picture_reading import read_mask, read_rgb
from tests.project_folders import attempt_in, read_manifest
from tests.report_reading import ReportReader
from trainer_worker.exporting.scoring import load_predictor
from trainer_worker.segmentation.scores import MaskTally
from trainer_worker.segmentation.train import train

SIDE, PICTURE_SIDE = 64, 128


def by_the_nearest_tile(picture: Any, predict: Any, overlap_px: int) -> Any:
    """The mask as the manifest tells callers to make it: each pixel from the tile whose centre is nearest."""
    length = picture.shape[0]
    count = 1 + -(-(length - SIDE) // (SIDE - overlap_px))
    starts = np.linspace(0, length - SIDE, count).round().astype(int)
    nearest = np.abs(np.arange(length)[:, None] + 0.5 - (starts + SIDE / 2)).argmin(axis=1)
    outputs = {
        (i, j): predict(picture[None, y : y + SIDE, x : x + SIDE])[0, ..., 0] > 0.5
        for i, y in enumerate(starts)
        for j, x in enumerate(starts)
    }
    found = np.empty((length, length), bool)
    for y, i in enumerate(nearest):
        for x, j in enumerate(nearest):
            found[y, x] = outputs[i, j][y - starts[i], x - starts[j]]
    return found


@pytest.mark.slow
def test_tiles_find_lines_and_the_file_scores_as_told_on_whole_pictures(tmp_path: Path) -> None:
    make_thin_lines_project(tmp_path, 16, PICTURE_SIDE, seed=2)
    options = SegmentationOptions(image_size=SIDE, epochs=8, batch_size=8, exports=("tflite",))  # tiles=auto
    attempt = attempt_in(tmp_path, options)
    result = train(attempt)
    (chosen,) = [found.sentence for found in attempt.data_report.findings if found.code == "tiles_chosen"]
    assert "tiles=auto chose 9 tiles" in chosen
    assert "tiles=auto chose 9 tiles" in (result.model_path.parent / "report.html").read_text("utf-8")
    metrics = json.loads((result.model_path.parent / "metrics.json").read_text())
    assert result.metrics["dice"] > metrics["baseline"]["all_foreground_dice"] + 0.25
    held_out = [Path(row["file"]) for row in metrics["held_out"]]
    assert sum(map(sum, metrics["confusion_matrix"])) == len(held_out) * PICTURE_SIDE**2
    assert len(held_out) == metrics["images"]["held_out"] == 5
    assert "score" in result.stage_seconds
    report = ReportReader((result.model_path.parent / "report.html").read_text("utf-8"))
    assert len(report.sections["masks"].pictures) == 4 * len(held_out)

    manifest = read_manifest(result.model_path.parent)
    assert manifest is not None
    assert manifest["input"]["shape"] == [None, SIDE, SIDE, 3]
    assert manifest["input"]["tiles"]["size_px"] == SIDE
    predict, tally = load_predictor(result.model_path, 2), MaskTally(manifest["labels"])
    for file in held_out:
        truth = read_mask(tmp_path / "masks" / file.name, (PICTURE_SIDE, PICTURE_SIDE))
        picture = read_rgb(tmp_path / file)
        tally.add(truth, by_the_nearest_tile(picture, predict, manifest["input"]["tiles"]["overlap_px"]))
    assert tally.scores().dice == pytest.approx(result.metrics["dice"], abs=0.005)
