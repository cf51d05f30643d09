"""Whether reported scores and intervals agree with what was measured on pictures that the product never saw.

Pure arithmetic. All shares are from 0 to 1, all intervals have a confidence of 95 %.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

#: Standard deviations of a normal distribution that hold 95 % of it.
Z = statistics.NormalDist().inv_cdf(0.975)
CALIBRATION_BINS = 15

Array = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """A share and the bounds between which it should lie."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} ({100 * self.low:.0f} to {100 * self.high:.0f})"

    @property
    def width(self) -> float:
        return self.high - self.low


def wilson(share: float, of: float) -> Interval:
    """Wilson's interval of a share of `of` > 0 pictures. `of` may be a fraction, see `weighted_share`."""
    middle = (share + Z**2 / (2 * of)) / (1 + Z**2 / of)
    half = Z / (1 + Z**2 / of) * math.sqrt(share * (1 - share) / of + (Z / (2 * of)) ** 2)
    return Interval(share, min(share, middle - half), max(share, middle + half))


def weighted_share(right: npt.NDArray[np.bool_], weights: Array) -> Interval:
    """The weighted share of right answers, with Wilson's interval for as many pictures as the weights are worth.

    weights: float (n,), n >= 1. n pictures of equal weight are worth n; the more the weights differ, the less.
    """
    shares = weights / weights.sum()
    return wilson(float(shares @ right), 1 / float((shares**2).sum()))


def class_weights(classes: npt.NDArray[np.int64], counts: Sequence[int]) -> Array:
    """Weights that give the classes of these pictures the shares that they have in a folder.

    classes: int64 (n,). counts: pictures of each class in the folder.
    """
    present = np.bincount(classes, minlength=len(counts))
    return np.asarray(counts, float)[classes] / present[classes]


def holds(reported: Interval, truth: Interval) -> bool:
    """Whether the reported interval holds the truth, which was itself measured on a limited number of pictures.

    The interval of the difference of both is built from their two intervals (Newcombe 1998, method 10) and has to hold
    zero. With many unseen pictures this becomes the question whether the truth lies between the reported bounds.
    """
    difference = reported.value - truth.value
    below = math.hypot(reported.value - reported.low, truth.high - truth.value)
    above = math.hypot(reported.high - reported.value, truth.value - truth.low)
    return difference - below <= 0.0 <= difference + above


class Coverage(NamedTuple):
    """How many intervals held the truth. strictly: those whose bounds enclose the measured share as it is."""

    held: int
    strictly: int
    of: int

    def __str__(self) -> str:
        if not self.of:
            return "none"
        _, low, high = wilson(self.held / self.of, self.of)
        return f"{self.held} of {self.of} ({100 * low:.0f} to {100 * high:.0f} %), strictly {self.strictly}"

    def reaches(self, target: float) -> bool:
        return self.of > 0 and self.held >= target * self.of


def coverage(pairs: Iterable[tuple[Interval, Interval]]) -> Coverage:
    """pairs: a reported interval and the truth."""
    listed = list(pairs)
    held = sum(holds(reported, truth) for reported, truth in listed)
    strictly = sum(reported.low <= truth.value <= reported.high for reported, truth in listed)
    return Coverage(held, strictly, len(listed))


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and half the width of its interval (Student's t); no half width for a single value."""
    if len(values) < 2:
        return statistics.fmean(values), math.nan
    from scipy import stats

    quantile = float(stats.t.ppf(0.975, len(values) - 1))
    return statistics.fmean(values), quantile * statistics.stdev(values) / math.sqrt(len(values))


def calibration_error(probabilities: Array, classes: npt.NDArray[np.int64], weights: Array) -> float:
    """The expected calibration error: how far the probability of the answer is from the share of right answers.

    probabilities: float (n, labels). The mean over 15 bins of equal width, weighted by the weights of their pictures.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == classes
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    error = sum(
        abs(float((weights * (right - confidence))[bins == number].sum())) for number in range(CALIBRATION_BINS)
    )
    return error / float(weights.sum())


def without_temperature(probabilities: Array, temperature: float) -> Array:
    """What the probabilities would be if the model's outputs had not been divided by this temperature."""
    logits = temperature * np.log(np.maximum(probabilities, 1e-30))
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    softened: Array = raised / raised.sum(axis=1, keepdims=True)
    return softened
