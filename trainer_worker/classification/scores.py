"""How well a classifier does on pictures that it did not train on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from trainer_worker.reporting.figures import percent_range
from trainer_worker.scores.intervals import NOT_ENOUGH, effective_number, wilson

#: An interval of the recall of a class that is wider than this does not tell whether the class is recognised. With
#: four of five right it takes 14 pictures to be narrower.
WIDEST_OF_CLASS = 0.4
#: The same for the accuracy. With nine of ten right it takes 40 pictures to be narrower.
WIDEST = 0.2


@dataclass(frozen=True)
class Predictions:
    """What models answered for pictures that they did not train on.

    truth: class indexes int64 (n,), n >= 1. probabilities: float (n, labels). groups: int64 (n,); pictures of one group
    are copies or a series, and say little more than one of them.
    """

    truth: np.ndarray
    probabilities: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True)
class ClassScores:
    """The scores of n pictures. All accuracies are from 0 to 1.

    interval: where the accuracy of other pictures of the same kind lies, with 95 % confidence.
    balanced_accuracy: the mean recall of the classes that have such pictures.
    baseline_accuracy: the accuracy of always predicting the largest class.
    per_class: for each class its label, precision, recall, f1, support (pictures of it), predicted (pictures that were
    given its label), verdict ("" or NOT_ENOUGH), and the intervals of precision and recall, None without pictures.
    confusion[i][j]: the number of pictures of class i that were predicted as class j.
    """

    accuracy: float
    interval: tuple[float, float]
    balanced_accuracy: float
    baseline_accuracy: float
    per_class: list[dict[str, Any]]
    confusion: list[list[int]]

    @property
    def pictures(self) -> int:
        return sum(entry["support"] for entry in self.per_class)

    @property
    def right(self) -> int:
        return sum(self.confusion[number][number] for number in range(len(self.confusion)))

    @property
    def enough(self) -> bool:
        """Whether there are enough pictures for the accuracy to mean something."""
        return self.interval[1] - self.interval[0] <= WIDEST

    def sentence(self) -> str:
        """The accuracy as a person with photos understands it."""
        likely = percent_range(*self.interval)
        if not self.enough:
            return (
                f"There are too few photos to tell how good the model is: of new photos of this kind it will "
                f"recognise {likely}."
            )
        if self.right == self.pictures:  # "100 of 100 new ones" would say more than is known
            return (
                f"All {self.pictures} photos that scored the model were recognised. Of new photos of this kind, "
                f"{likely} will be."
            )
        return f"{_of_ten(self.accuracy)} new photos of this kind will be recognised: {likely}."


def _of_ten(share: float) -> str:
    """A share as a count that is easy to imagine: "9 of 10", or "97 of 100" where tens would hide the rest."""
    of = 10 if 0.05 <= share < 0.95 else 100
    count = math.floor(share * of + 0.5)
    if count == of and share < 1.0:
        count = of - 1
    return f"{count} of {of}"


def accuracy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The share of rows of probabilities (n, labels) whose largest value is the true class's; truth: int64 (n,)."""
    return float((probabilities.argmax(axis=1) == truth).mean())


def balanced_accuracy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean over the classes in truth int64 (n,), n >= 1, of the share of their rows that `accuracy` counts."""
    right = probabilities.argmax(axis=1) == truth
    return float(np.mean([right[truth == label].mean() for label in np.unique(truth)]))


def score_classes(predictions: Predictions, labels: Sequence[str]) -> ClassScores:
    truth, predicted = predictions.truth, predictions.probabilities.argmax(axis=1)
    indexes = list(range(len(labels)))
    right = predicted == truth
    figures = precision_recall_fscore_support(truth, predicted, labels=indexes, zero_division=0.0)
    per_class = []
    for index, (precision, recall, f1, support) in enumerate(zip(*figures, strict=True)):
        of_class = _interval(right, truth == index, predictions.groups)
        named = _interval(right, predicted == index, predictions.groups)
        wide = of_class is None or of_class[1] - of_class[0] > WIDEST_OF_CLASS
        per_class.append(
            {
                "label": labels[index],
                "precision": float(precision),
                "precision_low": named[0] if named else None,
                "precision_high": named[1] if named else None,
                "recall": float(recall),
                "recall_low": of_class[0] if of_class else None,
                "recall_high": of_class[1] if of_class else None,
                "f1": float(f1),
                "support": int(support),
                "predicted": int((predicted == index).sum()),
                "verdict": NOT_ENOUGH if wide else "",
            }
        )
    interval = _interval(right, np.ones(len(truth), dtype=bool), predictions.groups)
    assert interval is not None
    return ClassScores(
        accuracy=float(right.mean()),
        interval=interval,
        balanced_accuracy=balanced_accuracy(truth, predictions.probabilities),
        baseline_accuracy=float(np.bincount(truth).max() / len(truth)),
        per_class=per_class,
        confusion=confusion_matrix(truth, predicted, labels=indexes).tolist(),
    )


def _interval(right: np.ndarray, rows: np.ndarray, groups: np.ndarray) -> tuple[float, float] | None:
    """The interval of the share of these rows that is right; None without rows. right, rows: bool (n,)."""
    if not rows.any():
        return None
    number = effective_number(groups[rows])
    return wilson(float(right[rows].mean()) * number, number)
