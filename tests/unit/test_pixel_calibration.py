"""The temperature of pixels, on made-up masks whose true probabilities are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainer_worker.segmentation.classes import UNLABELLED
from trainer_worker.segmentation.decisions import decide
from trainer_worker.segmentation.pixel_calibration import calibrate_pixels

SIDE = 48


def too_sure(temperature: float, seed: int = 0) -> tuple[Any, Any]:
    """Foreground probabilities (6, SIDE, SIDE, 1) that become calibrated at this temperature, and masks drawn by it."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (6, SIDE, SIDE, 1))
    truth = (random.random(logits.shape) < 1 / (1 + np.exp(-logits)))[..., 0].astype(np.uint8)
    return (1 / (1 + np.exp(-logits * temperature))).astype(np.float32), truth


@pytest.mark.parametrize("temperature", [0.6, 2.0])
def test_the_temperature_of_foreground_is_found_and_no_decision_changes(temperature: float) -> None:
    probabilities, truth = too_sure(temperature)

    found, calibrated = calibrate_pixels(probabilities, truth, np.arange(6), seed=1)

    assert found is not None
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    assert found.after.error < 0.02 < found.before.error
    logits = np.log(probabilities.astype(float)) - np.log1p(-probabilities.astype(float))
    assert np.allclose(calibrated, 1 / (1 + np.exp(-logits / found.temperature)), atol=1e-3)
    assert np.array_equal(decide(calibrated), decide(probabilities))


def test_classes_are_calibrated_and_pixels_without_a_label_have_no_part() -> None:
    one, truth = too_sure(2.0)
    two = np.concatenate([1 - one, one], axis=-1)
    half = truth.copy()
    half[:, : SIDE // 2] = UNLABELLED
    two[:, : SIDE // 2] = [1, 0]  # were they counted, the model would seem far surer than it may be

    found, calibrated = calibrate_pixels(two, half, np.arange(6), seed=1)

    assert found is not None
    assert found.temperature == pytest.approx(2.0, rel=0.1)
    assert sum(entry.pictures for entry in found.before.bins) == pytest.approx(10_000, rel=0.1)
    assert np.array_equal(decide(calibrated), decide(two))


def test_without_a_labelled_pixel_nothing_is_calibrated() -> None:
    probabilities, truth = too_sure(2.0)

    found, same = calibrate_pixels(probabilities, np.full_like(truth, UNLABELLED), np.arange(6), seed=1)

    assert found is None
    assert np.array_equal(same, probabilities)


def test_pixels_of_one_picture_prove_nothing() -> None:
    found, _ = calibrate_pixels(*too_sure(2.0), np.zeros(6, np.int64), seed=1)

    assert found is not None
    assert found.temperature == 1.0
