"""How well predicted masks fit the true ones. numpy only.

Dice = 2·|A∩B| / (|A|+|B|) and IoU = |A∩B| / |A∪B| (Jaccard, 1912; Dice, 1945), A and B the true and the predicted
pixels. The headline is the mean of the pictures' own Dice, as is customary: every picture counts the same, however
much foreground it has. The figures over all pixels at once stand beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

CLASSES = ("background", "foreground")


@dataclass(frozen=True)
class MaskScores:
    """Scores of n pictures; `dice` and `iou` are for the foreground.

    dice, iou: mean of the pictures' own figures. A picture without foreground scores 1 if none is predicted, else 0.
    dice_all_pixels, iou_all_pixels: all pictures' pixels as one.
    pixel_accuracy: share of pixels that are right.
    per_class: name -> {"dice", "iou", "pixels"}, over all pixels.
    confusion: pixels, rows the truth, columns the prediction, in the order of CLASSES.
    dice_per_image: one figure per picture.
    """

    dice: float
    iou: float
    dice_all_pixels: float
    iou_all_pixels: float
    pixel_accuracy: float
    per_class: dict[str, dict[str, float]]
    confusion: list[list[int]]
    dice_per_image: list[float]


def score_masks(truth: Any, predicted: Any) -> MaskScores:
    """truth, predicted: (n, h, w), n > 0, foreground where not zero. Raises ValueError if the shapes differ."""
    if truth.shape != predicted.shape or not len(truth):
        raise ValueError(f"masks of shapes {truth.shape} and {predicted.shape} can't be compared")
    both = np.empty(len(truth), np.int64)
    true = np.empty_like(both)
    found = np.empty_like(both)
    for row, (a, b) in enumerate(zip(truth, predicted, strict=True)):  # one at a time: no copies of the whole stack
        a, b = a != 0, b != 0
        both[row], true[row], found[row] = np.count_nonzero(a & b), np.count_nonzero(a), np.count_nonzero(b)
    dice_per_image = _dice(both, true, found)
    pixels = truth.size
    hit, wrong, missed = int(both.sum()), int(found.sum() - both.sum()), int(true.sum() - both.sum())
    right_background = pixels - hit - wrong - missed
    foreground = _class_scores(hit, wrong, missed)
    background = _class_scores(right_background, missed, wrong)
    return MaskScores(
        dice=float(dice_per_image.mean()),
        iou=float(_iou(both, true, found).mean()),
        dice_all_pixels=foreground["dice"],
        iou_all_pixels=foreground["iou"],
        pixel_accuracy=(hit + right_background) / pixels,
        per_class={"background": background, "foreground": foreground},
        confusion=[[right_background, wrong], [missed, hit]],
        dice_per_image=[float(value) for value in dice_per_image],
    )


def _dice(both: Any, true: Any, found: Any) -> Any:
    total = true + found
    return np.where(total > 0, 2 * both / np.maximum(total, 1), 1.0)


def _iou(both: Any, true: Any, found: Any) -> Any:
    union = true + found - both
    return np.where(union > 0, both / np.maximum(union, 1), 1.0)


def _class_scores(hit: int, wrong: int, missed: int) -> dict[str, float]:
    true, found = np.int64(hit + missed), np.int64(hit + wrong)
    return {
        "dice": float(_dice(np.int64(hit), true, found)),
        "iou": float(_iou(np.int64(hit), true, found)),
        "pixels": float(true),
    }
