"""How well predicted masks fit the true ones.

For the true pixels A and the predicted pixels B of a class, Dice is 2·|A∩B| / (|A|+|B|) (Dice, 1945) and IoU is
|A∩B| / |A∪B| (Jaccard, 1912). The headline is the mean of the pictures' own Dice, as is customary: every picture counts
the same, however much foreground it has. Figures over the pixels of all pictures are reported beside it. Unlabelled
pixels do not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from protocol.percent import in_percent
from trainer_worker.segmentation.classes import FOREGROUND_OR_NOT, UNLABELLED

#: A warning names at most this many classes.
MOST_NAMED = 5


@dataclass(frozen=True)
class MaskScores:
    """Scores of n pictures; `dice` and `iou` are for the foreground: the mean of its classes.

    dice, iou: mean of the pictures' own figures, each the mean of the classes in that picture. A picture without
    foreground scores 1 if none is predicted, else 0.
    dice_all_pixels, iou_all_pixels: all pictures' pixels as one; mean of the classes that any picture has.
    pixel_accuracy: share of pixels that are right.
    per_class: name -> {"dice", "iou", "pixels"}, over all pixels. Without any pixels 1 if none is predicted, else 0.
    confusion: pixels, rows the truth, columns the prediction, in the order of the classes.
    dice_per_image: one figure per picture.
    counts: int64 (3, n, classes), how many pixels of each picture and class are right, true and predicted.
    """

    dice: float
    iou: float
    dice_all_pixels: float
    iou_all_pixels: float
    pixel_accuracy: float
    per_class: dict[str, dict[str, float]]
    confusion: list[list[int]]
    dice_per_image: list[float]
    counts: Any = field(compare=False)

    def warnings(self, constant: MaskScores) -> list[str]:
        """What the scores say against the model.

        constant: the scores of a baseline that predicts the same foreground class for every pixel.
        """
        found = []
        if self.dice <= constant.dice < 1.0:
            found.append(
                f"The masks are no better than marking all of a picture: Dice {in_percent(self.dice)} "
                f"against {in_percent(constant.dice)}. See whether the given masks fit their pictures, add pictures, "
                "and leave learningRate as it is."
            )
        return [*found, *self._lost_classes()]

    def _lost_classes(self) -> Iterator[str]:
        """Warnings about foreground classes that held-out pictures show, and of which no pixel was found."""
        both, true, predicted = self.counts.sum(axis=1)
        never: list[str] = []
        misplaced: list[str] = []
        for number, name in enumerate(self.per_class):
            if number and true[number] and not both[number]:
                pictures = np.count_nonzero(self.counts[1][:, number])
                (misplaced if predicted[number] else never).append(f"{name!r} (in {pictures})")
        cure = "See whether its masks are right, and add pictures of it."
        if never:
            yield f"The model finds nothing of {_some(never)} of the held-out pictures. {cure}"
        if misplaced:
            yield f"The model marks only wrong pixels as {_some(misplaced)} of the held-out pictures. {cure}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def score_masks(truth: Any, predicted: Any) -> MaskScores:
    """The scores of masks (n, h, w), n > 0, which are foreground where not zero. ValueError if the shapes differ."""
    return score_class_masks(truth != 0, predicted != 0, FOREGROUND_OR_NOT.names)


def score_class_masks(truth: Any, predicted: Any, names: Sequence[str]) -> MaskScores:
    """The scores of masks of class numbers. Raises ValueError if the shapes differ.

    truth, predicted: (n, h, w), n > 0; the truth may hold UNLABELLED. names: of the classes, background first.
    """
    if len(truth) != len(predicted):
        raise ValueError(f"masks of shapes {truth.shape} and {predicted.shape} can't be compared")
    tally = MaskTally(names)
    for a, b in zip(truth, predicted, strict=True):  # one at a time: no copies of the whole stack
        tally.add(a, b)
    return tally.scores()


class MaskTally:
    """Scores pictures one by one, so that they may differ in size. Only counts of pixels are kept."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._counts: list[tuple[Any, Any, Any]] = []
        self._confusion = np.zeros((len(names), len(names)), np.int64)

    def add(self, truth: Any, predicted: Any) -> None:
        """Count the pixels of one picture. truth, predicted: (h, w), as for `score_class_masks`."""
        if truth.shape != predicted.shape:
            raise ValueError(f"masks of shapes {truth.shape} and {predicted.shape} can't be compared")
        confusion = _confusion(truth, predicted, len(self._names))
        self._counts.append((confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)))
        self._confusion += confusion

    def scores(self) -> MaskScores:
        if not self._counts:
            raise ValueError("there are no masks whose shapes could be compared")
        both, true, found = np.array(self._counts).transpose(1, 0, 2)
        dice_per_image = _mean_of_classes(_dice(both, true, found), true, found)
        totals = both.sum(axis=0), true.sum(axis=0), found.sum(axis=0)
        dice, iou = _dice(*totals), _iou(*totals)
        pixels = int(self._confusion.sum())
        return MaskScores(
            dice=float(dice_per_image.mean()),
            iou=float(_mean_of_classes(_iou(both, true, found), true, found).mean()),
            dice_all_pixels=float(_mean_of_classes(dice, totals[1], totals[2])),
            iou_all_pixels=float(_mean_of_classes(iou, totals[1], totals[2])),
            pixel_accuracy=int(totals[0].sum()) / pixels if pixels else 1.0,
            per_class={
                name: {"dice": float(dice[number]), "iou": float(iou[number]), "pixels": float(totals[1][number])}
                for number, name in enumerate(self._names)
            },
            confusion=self._confusion.tolist(),
            dice_per_image=[float(value) for value in dice_per_image],
            counts=np.stack([both, true, found]),
        )


def _confusion(truth: Any, predicted: Any, classes: int) -> Any:
    """Pixels of one picture, int64 (classes, classes): rows the truth, columns the prediction."""
    labelled = truth != UNLABELLED
    pairs = truth[labelled].astype(np.int64) * classes + predicted[labelled]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def _mean_of_classes(figures: Any, true: Any, found: Any) -> Any:
    """The mean of figures (..., classes) over the foreground classes that the truth has: (...).

    If the truth has no foreground, the mean is 1 if none is predicted either, else 0.
    """
    present = true[..., 1:] > 0
    mean = (figures[..., 1:] * present).sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)
    return np.where(present.any(axis=-1), mean, found[..., 1:].sum(axis=-1) == 0)


def _dice(both: Any, true: Any, found: Any) -> Any:
    total = true + found
    return np.where(total > 0, 2 * both / np.maximum(total, 1), 1.0)


def _iou(both: Any, true: Any, found: Any) -> Any:
    union = true + found - both
    return np.where(union > 0, both / np.maximum(union, 1), 1.0)
