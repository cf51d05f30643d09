"""How well a classifier does on held-out images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

#: The name of the accuracy that exported files are compared by: of the published model on its held-out pictures.
HELD_OUT_ACCURACY = "held_out_accuracy"


@dataclass(frozen=True)
class ClassScores:
    """The scores of n held-out images. All accuracies are from 0 to 1.

    balanced_accuracy: the mean recall of the classes that have held-out images.
    baseline_accuracy: the accuracy of always predicting the largest class.
    confusion[i][j]: the number of images of class i that were predicted as class j.
    """

    accuracy: float
    balanced_accuracy: float
    baseline_accuracy: float
    per_class: list[dict[str, Any]]
    confusion: list[list[int]]

    def warnings(self) -> list[str]:
        """A warning if guessing may explain the scores.

        Guessing has a balanced accuracy of 1/classes on average, however often it predicts each class. The spread is
        that of a guesser who predicts all classes equally often: with many images, one guesser in forty scores more
        than two spreads above the average.
        """
        supports = [entry["support"] for entry in self.per_class if entry["support"]]
        chance = 1 / len(supports)
        spread = chance * math.sqrt(sum(chance * (1 - chance) / support for support in supports))
        reached = chance + 2 * spread
        if self.balanced_accuracy > reached:
            return []
        if reached >= 1:
            return [
                f"The {sum(supports)} held-out images are too few to tell a good model from guesses. Add images, or "
                "post a larger validationSplit."
            ]
        return [
            f"The {sum(supports)} held-out images can't tell the model from guesses: its balanced accuracy is "
            f"{self.balanced_accuracy:.0%}, guesses reach up to {reached:.0%}. See whether the class folders hold what "
            "their names say, and add images."
        ]


def accuracy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The share of rows of probabilities (n, labels) whose largest value is the true class's; truth: int64 (n,)."""
    return float((probabilities.argmax(axis=1) == truth).mean())


def balanced_accuracy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean over the classes in truth int64 (n,), n >= 1, of the share of their rows that `accuracy` counts."""
    right = probabilities.argmax(axis=1) == truth
    return float(np.mean([right[truth == label].mean() for label in np.unique(truth)]))


def score_classes(truth: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]) -> ClassScores:
    """truth: class indexes int64 (n,), n >= 1. probabilities: float (n, labels)."""
    predicted, indexes = probabilities.argmax(axis=1), range(len(labels))
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, predicted, labels=list(indexes), zero_division=0.0
    )
    return ClassScores(
        accuracy=accuracy(truth, probabilities),
        balanced_accuracy=balanced_accuracy(truth, probabilities),
        baseline_accuracy=float(np.bincount(truth).max() / len(truth)),
        per_class=[
            {
                "label": labels[index],
                "precision": float(precision[index]),
                "recall": float(recall[index]),
                "f1": float(f1[index]),
                "support": int(support[index]),
            }
            for index in indexes
        ],
        confusion=confusion_matrix(truth, predicted, labels=list(indexes)).tolist(),
    )
