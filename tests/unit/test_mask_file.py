"""held_out_masks.json in a segmenter's folder: the masks of the report as numbers."""

from __future__ import annotations

import base64
import errno
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.report_material import manifest
from trainer_worker.layouts.layout import MAX_CLASSES
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.project.model_files import HELD_OUT_MASKS, is_model_file
from trainer_worker.publishing.app_pack import FinishedModel
from trainer_worker.publishing.mask_file import MOST_BYTES, add_masks
from trainer_worker.publishing.report_file import no_overlays
from trainer_worker.reporting.overlays import MOST_OVERLAYS, Overlay
from trainer_worker.reporting.picture_book import SIDE_PX
from trainer_worker.segmentation.kind import KIND

LABELS = ["background", "cat", "dog"]


def model_in(folder: Path, labels: list[str]) -> FinishedModel:
    return FinishedModel(KIND, folder, manifest("segmentation", labels), {}, UserFiles.at(folder))


def overlay(truth: Any, predicted: Any, file: str = "images/a.jpg") -> Overlay:
    true, found = np.array(truth, np.uint8), np.array(predicted, np.uint8)
    return Overlay(file, 0.75, np.zeros((*true.shape, 3), np.uint8), true, found)


def written(model: FinishedModel) -> dict[str, Any]:
    return dict(json.loads((model.folder / HELD_OUT_MASKS).read_text("utf-8")))


def image_of(encoded: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(encoded, validate=True)))


def test_masks_are_written_as_class_numbers_with_the_colours_of_the_report(tmp_path: Path) -> None:
    model = model_in(tmp_path, LABELS)
    truth, predicted = [[0, 1, 255], [2, 2, 0]], [[0, 1, 1], [2, 1, 0]]

    add_masks(model, lambda: [overlay(truth, predicted, "images/caf\udce9.jpg")])

    content = written(model)
    assert (content["labels"], content["colors"]) == (LABELS, ["#000000", "#009e73", "#e69f00"])
    (shown,) = content["pictures"]
    assert (shown["picture"], shown["score"], shown["width"], shown["height"]) == ("images/caf?.jpg", 0.75, 3, 2)
    assert np.asarray(image_of(shown["truth"])).tolist() == truth
    assert np.asarray(image_of(shown["predicted"])).tolist() == predicted
    assert image_of(shown["truth"]).convert("RGB").getpixel((1, 0)) == (0x00, 0x9E, 0x73)
    assert image_of(shown["truth"]).convert("RGB").getpixel((2, 0)) == (255, 255, 255)
    assert is_model_file(HELD_OUT_MASKS)


def test_the_colours_of_all_classes_differ(tmp_path: Path) -> None:
    model = model_in(tmp_path, [str(number) for number in range(MAX_CLASSES)])
    add_masks(model, lambda: [overlay([[0]], [[MAX_CLASSES - 1]])])
    assert len(set(written(model)["colors"])) == MAX_CLASSES


def test_the_worst_masks_fit_into_the_bound(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, MAX_CLASSES, (SIDE_PX, SIDE_PX)).astype(np.uint8)
    model = model_in(tmp_path, ["x" * 100 for _ in range(MAX_CLASSES)])
    add_masks(model, lambda: [overlay(noise, noise)] * MOST_OVERLAYS)
    assert MOST_BYTES / 4 < (tmp_path / HELD_OUT_MASKS).stat().st_size < MOST_BYTES


def test_a_model_without_masks_has_no_such_file(tmp_path: Path) -> None:
    model = model_in(tmp_path, LABELS)
    add_masks(model, no_overlays)
    assert (list(tmp_path.iterdir()), model.manifest["warnings"]) == ([], [])


@pytest.mark.parametrize("fault", ["disk", "overlays"])
def test_a_failure_costs_the_file_and_not_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def fails(*_: Any) -> Sequence[Overlay]:
        raise OSError(errno.ENOSPC, "No space left on device")

    if fault == "disk":
        monkeypatch.setattr(Path, "write_bytes", fails)
    model = model_in(tmp_path, LABELS)
    add_masks(model, fails if fault == "overlays" else lambda: [overlay([[0]], [[1]])])

    (warning,) = model.manifest["warnings"]
    assert warning.startswith("There is no held_out_masks.json (")
    assert not (tmp_path / HELD_OUT_MASKS).exists()
