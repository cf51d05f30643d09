"""From a model's probabilities to the class of each pixel. Trainings and predictions both decide here.

This file needs no TensorFlow, because the caller passes a function that runs the model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trainer_worker.segmentation.tiles import part_that_counts, tiles

#: Of a model with one channel: above it, a pixel is foreground.
THRESHOLD = 0.5
#: Tiles that are given to the model at once.
BATCH = 16


def decide(probabilities: Any, foreground_above: float = THRESHOLD) -> Any:
    """The class number of each pixel, uint8 (n, S, S): foreground or not, or the most probable class."""
    single = probabilities.shape[-1] == 1
    return (probabilities[..., 0] > foreground_above if single else probabilities.argmax(axis=-1)).astype(np.uint8)


def decide_by_tiles(
    picture: Any, side_px: int, decisions: Callable[[Any], Any], least_overlap_px: int | None = None
) -> Any:
    """The class number of each pixel of a large picture, uint8 (h, w), put together from tiles.

    picture: uint8 (h, w, 3), no side below side_px. decisions: from squares uint8 (n, S, S, 3) to class numbers, uint8
    (n, S, S).
    least_overlap_px: of neighbouring tiles, if it is not the usual one.
    """
    height, width, _ = picture.shape
    found = np.empty((height, width), np.uint8)
    cut = tiles(height, width, side_px, least_overlap_px)
    for start in range(0, len(cut), BATCH):
        batch = cut[start : start + BATCH]
        decided = decisions(np.stack([picture[tile.window] for tile in batch]))
        for tile, decision in zip(batch, decided, strict=True):
            found[tile.answers_for] = part_that_counts(tile, decision)
    return found
