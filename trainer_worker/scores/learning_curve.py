"""How the accuracy grows with the number of pictures, and which class gains most from more of them.

A quick classifier is trained on a quarter, half, three quarters and all of the pictures, and scored on pictures that it
has not seen. Errors fall with a power of the number of pictures (Hestness et al. 2017, "Deep Learning Scaling Is
Predictable, Empirically"), so the four points tell what more pictures would do. A class gains most if it has many
errors and few pictures (docs/choices.md, "Which class needs more photos").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trainer_worker.scores.intervals import wilson
from trainer_worker.scores.quick_classifier import Doubles, Floats, Rows, Sample, out_of_fold

#: Shares of the pictures, and how many draws of each are averaged. Small shares vary most, and cost least.
DRAWS = {0.25: 4, 0.5: 2, 0.75: 1}
#: With fewer scored pictures the points say nothing.
LEAST_SCORED = 20
#: The power with which errors fall, as far as it is believed.
LEAST_POWER, MOST_POWER = 0.05, 1.0
#: How many more photos of one class the advice is about.
MORE_OF_CLASS = 20


@dataclass(frozen=True)
class Point:
    """pictures: how many were used, a fifth of them for scoring. low, high: the 95 % interval of the accuracy."""

    share: float
    pictures: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class LearningCurve:
    """points: in the order of their shares; the last one is that of all pictures.

    power: errors fall with the number of pictures to the minus `power`. error_of_class: float64 (labels,), the share of
    each class's pictures that are not recognised, drawn towards a half where there are few.
    """

    points: tuple[Point, ...]
    power: float
    error_of_class: Doubles

    def gain_of_twice_as_many(self) -> float:
        """How much the accuracy would rise with twice as many pictures, from 0 to 1."""
        return float((1 - self.points[-1].accuracy) * (1 - 2**-self.power))

    def recall_gains(self, counts: Rows) -> Doubles:
        """How much each class's recall would rise with MORE_OF_CLASS more pictures of it, float64 (labels,).

        counts: int64 (labels,), the pictures of each class.
        """
        gains: Doubles = self.error_of_class * (1 - (counts / (counts + MORE_OF_CLASS)) ** self.power)
        return gains


def learning_curve(sample: Sample, scores: Floats, tell: Callable[[], None]) -> LearningCurve | None:
    """None where too few pictures score.

    scores: those of out_of_fold(sample). Shares are drawn as whole groups. tell: called before each fit; an exception
    from it ends the measuring.
    """
    scored = np.flatnonzero(sample.folds >= 0)
    if len(scored) < LEAST_SCORED:
        return None
    random = np.random.default_rng(0)
    points = []
    for share, draws in DRAWS.items():
        right = []
        for _ in range(draws):
            tell()
            drawn = sample.only(_drawn(sample, share, random))
            right.append(_right(drawn, out_of_fold(drawn)))
        points.append(_point(share, len(drawn.classes), np.concatenate(right), len(scored)))
    of_all = _right(sample, scores)
    points.append(_point(1.0, len(sample.classes), of_all, len(scored)))
    classes = sample.classes[scored]
    wrong = np.bincount(classes, weights=1 - of_all, minlength=sample.labels)
    errors = (wrong + 1) / (np.bincount(classes, minlength=sample.labels) + 2)
    return LearningCurve(tuple(points), _power(points, len(scored)), errors)


def _drawn(sample: Sample, share: float, random: np.random.Generator) -> Rows:
    """The rows of a random part of all pictures: a share of each class, and at least one picture."""
    turn = random.permutation(int(sample.groups.max()) + 1)[sample.groups]
    order = np.lexsort((turn, sample.classes))
    counts = np.bincount(sample.classes, minlength=sample.labels)
    place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(order[place < np.maximum(1, share * counts[sample.classes[order]])])


def _right(sample: Sample, scores: Floats) -> np.ndarray:
    """Whether each picture that scores was recognised, bool (scored,)."""
    scored = sample.folds >= 0
    found: np.ndarray = scores[scored].argmax(axis=1) == sample.classes[scored]
    return found


def _point(share: float, pictures: int, right: np.ndarray, scored: int) -> Point:
    """A point of the curve. right: bool, of all draws. scored: how many different pictures can score."""
    accuracy, number = float(right.mean()), min(len(right), scored)
    low, high = wilson(round(accuracy * number), number)
    return Point(share, pictures, accuracy, low, high)


def _power(points: list[Point], scored: int) -> float:
    """The slope of the line through the logarithms of errors and pictures, within bounds."""
    errors = [max(1 - point.accuracy, 0.5 / scored) for point in points]
    slope = np.polyfit(np.log([point.pictures for point in points]), np.log(errors), 1)[0]
    return float(np.clip(-slope, LEAST_POWER, MOST_POWER))
