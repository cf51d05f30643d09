"""Differences between two recipes on the same splits of a set, with intervals. Pure.

The splits of one set share pictures, so their differences are alike, and Student's t would find intervals that are too
narrow. Nadeau and Bengio (Inference for the Generalization Error, 2003) widen them by the share of the pictures that
score: docs/choices.md, "Intervals of paired differences".
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """A mean with its standard error. freedom: degrees of freedom of Student's t; 0 where one split tells no error."""

    mean: float
    error: float
    freedom: float

    @property
    def interval(self) -> tuple[float, float]:
        if self.freedom <= 0:
            return -math.inf, math.inf
        from scipy import stats  # takes up to a second to import

        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, self.freedom)) * self.error
        return self.mean - half, self.mean + half


def paired_difference(ours: Sequence[float], theirs: Sequence[float], scored: float, pictures: float) -> Difference:
    """The mean of ours - theirs over the splits of one set; both are shares of right pictures, 0 to 1.

    scored: pictures that score in each split. pictures: all of the set, from which they are drawn.
    """
    differences = [our - their for our, their in zip(ours, theirs, strict=True)]
    splits = len(differences)
    if splits < 2:
        return Difference(statistics.mean(differences), 0.0, 0.0)
    # Splits that agree exactly would have no error at all. One picture in one of them might still have differed.
    spread = max(statistics.stdev(differences), 1 / (scored * math.sqrt(splits)))
    share = min(scored / pictures, 0.99)
    return Difference(statistics.mean(differences), spread * math.sqrt(1 / splits + share / (1 - share)), splits - 1)


def mean_difference(differences: Sequence[Difference]) -> Difference:
    """The mean over sets. Its degrees of freedom are those of Welch and Satterthwaite."""
    sets = len(differences)
    mean = statistics.mean(each.mean for each in differences)
    if any(each.freedom <= 0 for each in differences):
        return Difference(mean, 0.0, 0.0)
    squares = [each.error**2 for each in differences]
    parts = [square**2 / each.freedom for square, each in zip(squares, differences, strict=True)]
    # Without any error the degrees of freedom say nothing.
    freedom = sum(squares) ** 2 / sum(parts) if sum(parts) else 1.0
    return Difference(mean, math.sqrt(sum(squares)) / sets, freedom)


def log_ratio(ours: Sequence[float], theirs: Sequence[float]) -> Difference:
    """The mean of the logarithms of ours / theirs over the splits. Seconds share no pictures, so plain t applies."""
    logs = [math.log(our / their) for our, their in zip(ours, theirs, strict=True)]
    if len(logs) < 2:
        return Difference(statistics.mean(logs), 0.0, 0.0)
    return Difference(statistics.mean(logs), statistics.stdev(logs) / math.sqrt(len(logs)), len(logs) - 1)


def at_least(found: Difference, wanted: float, tolerance: float = 0.0) -> str:
    """Whether the difference is at least what is wanted, where less by no more than the tolerance counts as equal.

    "holds" if the whole interval is at least wanted - tolerance; "MISSED" if the whole interval is below wanted.
    """
    low, high = found.interval
    if low >= wanted - tolerance:
        return "holds"
    return "MISSED" if high < wanted else "cannot tell"
