"""Calibrates a segmenter's probabilities on pixels of its held-out pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainer_worker.scores.calibration import Calibration, calibrate, tempered
from trainer_worker.segmentation.classes import UNLABELLED

#: Pixels that the temperature is fitted to. More would take longer and move it by less than a percent.
SAMPLED_PIXELS = 20_000


def calibrate_pixels(probabilities: Any, truth: Any, owners: Any, seed: int) -> tuple[Calibration | None, Any]:
    """The calibration, None without a labelled pixel, and the probabilities after it.

    probabilities: float32 (n, S, S, channels). truth: class numbers and UNLABELLED, uint8 (n, S, S). owners: for each
    square the group of pictures that it belongs to, int (n,).
    """
    random = np.random.default_rng(seed)
    squares, rows, columns = (random.integers(0, size, SAMPLED_PIXELS) for size in truth.shape)
    labelled = truth[squares, rows, columns] != UNLABELLED
    chosen = squares[labelled], rows[labelled], columns[labelled]
    if not labelled.any():
        return None, probabilities
    found = calibrate(probabilities[chosen], truth[chosen].astype(np.int64), owners[chosen[0]], seed)
    calibrated = np.empty_like(probabilities)
    for number, square in enumerate(probabilities):  # one at a time: float64 copies of all would fill the memory
        calibrated[number] = tempered(square, found.temperature)
    return found, calibrated
