"""A training that was cut off goes on from its checkpoint, and ends as if nothing had happened."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from protocol.options import ClassificationOptions, SegmentationOptions
from tests.project_folders import attempt_in, open_project
from tests.sample_tasks import hex_id
from tests.train.digit_projects import write_digits
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Epoch, Job, SilentReporter
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification import features
from trainer_worker.classification import train as classification
from trainer_worker.optimization.epochs import History
from trainer_worker.pictures.images import Box, PictureReader, read_rgb
from trainer_worker.segmentation import unet
from trainer_worker.segmentation.skip_features import SkipFeatures
from trainer_worker.segmentation.unet_training import MaskedFeatures, fit_decoder
from trainer_worker.segmentation.views import MIRRORED, lies_within, views_of

SIZE = 64
pytestmark = pytest.mark.usefixtures("saved_each_epoch")


class PowerCutError(Exception):
    """Stands for the end of the process."""


def run_decoder(folder: Path, cut_in_epoch: int | None, rows: range = range(9)) -> tuple[History, list[Any], int]:
    """Train 4 epochs on 12 pictures of coloured discs; returns history, weights and the epochs that this call ran."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(5)
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE]
    centres = random.integers(16, 48, (12, 2))
    masks = np.stack([((x - cx) ** 2 + (y - cy) ** 2 < 150).astype(np.uint8) for cx, cy in centres])
    pictures = (random.integers(0, 80, (12, SIZE, SIZE, 3)) + 150 * masks[..., None]).astype(np.uint8)
    encoder = unet.build_encoder(LITE0, SIZE)
    decoder = unet.build_decoder([tuple(output.shape[1:]) for output in encoder.outputs])
    reporter = CuttingReporter("", 0 if cut_in_epoch is None else 3 * cut_in_epoch)
    options = SegmentationOptions(epochs=4, batch_size=4, image_size=SIZE, seed=5)
    data = MaskedFeatures(SkipFeatures(encoder, pictures, 2**28), masks, rows, views_of(lies_within(MIRRORED)))
    try:
        history = fit_decoder(decoder, data, attempt_in(folder, options, reporter))
    except PowerCutError:
        history = History()
    return history, decoder.get_weights(), len(reporter.epochs)


@pytest.mark.slow
def test_segmentation_repeats_at_most_the_epoch_that_was_cut(tmp_path: Path) -> None:
    whole, weights, _ = run_decoder(tmp_path / "whole", None)
    _, _, before = run_decoder(tmp_path / "cut", cut_in_epoch=3)
    resumed, resumed_weights, after = run_decoder(tmp_path / "cut", None)
    assert (before, after) == (2, 2)
    assert resumed == whole
    for got, expected in zip(resumed_weights, weights, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.slow
def test_segmentation_begins_anew_when_other_pictures_train(tmp_path: Path) -> None:
    """A picture that scores the model now may have been trained on before."""
    run_decoder(tmp_path, cut_in_epoch=3)
    _, _, epochs = run_decoder(tmp_path, None, rows=range(1, 10))
    assert epochs == 4


class CuttingReporter(SilentReporter):
    """Counts steps of each phase, and cuts the process off at one of them."""

    def __init__(self, cut_in: str = "", cut_at: int = 0) -> None:
        self.steps: Counter[str] = Counter()
        self.epochs: list[int] = []
        self._phase, self._cut_in, self._cut_at = "", cut_in, cut_at

    def enter(self, phase: str) -> None:
        self._phase = phase

    def step(self, fraction: float, **metrics: float) -> None:
        self.steps[self._phase] += 1
        if self._phase == self._cut_in and self.steps[self._phase] == self._cut_at:
            raise PowerCutError

    def epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch.number)


@pytest.mark.slow
def test_classification_reads_no_picture_twice_and_repeats_at_most_one_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for project in ("whole", "cut"):
        write_digits(tmp_path / project, range(240))
    read: list[Path] = []

    def counting(reader: PictureReader, path: Path, size: tuple[int, int], box: Box) -> Any:
        read.append(path)
        return read_rgb(reader, path, size, box)

    monkeypatch.setattr(features, "read_rgb", counting)

    def attempt(project: str, reporter: CuttingReporter) -> dict[str, Any]:
        options = ClassificationOptions(image_size=SIZE, epochs=3, exports=("tflite",))
        job = Job(hex_id("t1"), 1, open_project(tmp_path / project), "classification", options)
        result = classification.train(Attempt(job, reporter, tmp_path / "cache", 2))
        metrics: dict[str, Any] = json.loads((result.model_path.parent / "metrics.json").read_text())
        del metrics["exports"]["formats"][0]["ms_per_image"]
        return metrics

    whole = attempt("whole", CuttingReporter())
    steps_an_epoch = 6
    with pytest.raises(PowerCutError):
        attempt("cut", CuttingReporter("train", cut_at=2 * steps_an_epoch + 2))
    assert read
    read.clear()
    resumed = CuttingReporter()
    assert attempt("cut", resumed) == whole
    assert not read
    assert resumed.epochs[0] == 3


@pytest.mark.slow
def test_classification_begins_anew_when_pictures_came(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write_digits(project, range(60))
    job = Job(
        hex_id("t1"),
        1,
        open_project(project),
        "classification",
        ClassificationOptions(image_size=SIZE, exports=("tflite",)),
    )
    with pytest.raises(PowerCutError):
        classification.train(Attempt(job, CuttingReporter("train", cut_at=10), tmp_path / "cache", 2))
    write_digits(project, range(60, 66))
    again = CuttingReporter("train", cut_at=10)
    with pytest.raises(PowerCutError):
        classification.train(Attempt(job, again, tmp_path / "cache", 2))
    assert again.epochs[0] == 1
