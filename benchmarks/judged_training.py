"""Compares what a training reported with what its exported file does on pictures that it never saw."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.coverage import (
    Interval,
    calibration_error,
    class_weights,
    holds,
    weighted_share,
    wilson,
    without_temperature,
)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Unseen:
    """What the exported file answered for pictures of which the truth is known.

    probabilities: float (n, labels), classes: int64 (n,) of the pictures that were never seen. strangers: float
    (m, labels), for pictures of other sets, which show no class. counts: pictures of each class in the folder; the
    unseen pictures are weighted as if classes were as frequent among them.
    """

    probabilities: Array
    classes: npt.NDArray[np.int64]
    strangers: Array
    counts: Sequence[int]

    @property
    def weights(self) -> Array:
        return class_weights(self.classes, self.counts)

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        right: npt.NDArray[np.bool_] = self.probabilities.argmax(axis=1) == self.classes
        return right


class Recall(NamedTuple):
    """reported: None if the product said nothing of this class. counted: pictures of the class in the folder."""

    label: str
    counted: int
    reported: Interval | None
    truth: Interval


class Pair(NamedTuple):
    """What was reported, and what was measured on unseen pictures."""

    reported: float
    measured: float


@dataclass(frozen=True)
class Judged:
    """One training beside the truth.

    errors: the expected calibration error before and after the temperature. spotted: the share of other sets'
    pictures that are called unknown. kept: the share of right answers that aren't. None where the product reports none.
    """

    score: Interval
    truth: Interval
    recalls: list[Recall]
    method: str
    error_before: Pair | None
    error_after: Pair
    spotted: Pair | None
    kept: Pair | None

    @property
    def score_holds(self) -> bool:
        return holds(self.score, self.truth)

    @property
    def bias(self) -> float:
        return self.score.value - self.truth.value

    def gap_of_smallest(self) -> float:
        """By how much the measured recall of the smallest class is below the mean of the others."""
        smallest = min(self.recalls, key=lambda recall: recall.counted)
        others = [recall.truth.value for recall in self.recalls if recall is not smallest]
        return statistics.fmean(others) - smallest.truth.value


def judge(metrics: Mapping[str, Any], unseen: Unseen) -> Judged:
    """metrics: the content of metrics.json."""
    score = metrics["score"]
    calibration = metrics.get("calibration") or {}
    before = None
    if calibration:
        uncalibrated = without_temperature(unseen.probabilities, calibration["temperature"])
        before = Pair(calibration["ece_before"], calibration_error(uncalibrated, unseen.classes, unseen.weights))
    after = calibration_error(unseen.probabilities, unseen.classes, unseen.weights)
    return Judged(
        score=Interval(score["value"], score["low"], score["high"]),
        truth=weighted_share(unseen.right, unseen.weights),
        recalls=_recalls(metrics, unseen),
        method=score["method"],
        error_before=before,
        error_after=Pair(calibration.get("ece_after", math.nan), after),
        spotted=_spotted(metrics, unseen),
        kept=_kept(metrics, unseen),
    )


def _recalls(metrics: Mapping[str, Any], unseen: Unseen) -> list[Recall]:
    recalls = []
    for number, entry in enumerate(metrics["per_class"]):
        right = unseen.right[unseen.classes == number]
        truth = wilson(float(right.mean()), len(right))
        recalls.append(Recall(entry["label"], unseen.counts[number], _reported_recall(entry), truth))
    return recalls


def _reported_recall(entry: Mapping[str, Any]) -> Interval | None:
    if entry["recall_low"] is None:
        return None
    return Interval(entry["recall"], entry["recall_low"], entry["recall_high"])


def _spotted(metrics: Mapping[str, Any], unseen: Unseen) -> Pair | None:
    unknown = metrics.get("unknown") or {}
    if unknown.get("spotted") is None or not len(unseen.strangers):
        return None
    return Pair(unknown["spotted"], float((unseen.strangers.max(axis=1) < unknown["threshold"]).mean()))


def _kept(metrics: Mapping[str, Any], unseen: Unseen) -> Pair | None:
    unknown = metrics.get("unknown") or {}
    if unknown.get("kept") is None or not unseen.right.any():
        return None
    certain = unseen.probabilities.max(axis=1)[unseen.right] >= unknown["threshold"]
    weights = unseen.weights[unseen.right]
    return Pair(unknown["kept"], float(certain @ weights / weights.sum()))


def precision_among_suspects(metrics: Mapping[str, Any], planted: Collection[str]) -> float | None:
    """The share of planted files among the first len(planted) suspects; None where the product suspects no labels."""
    suspects = metrics.get("suspect_labels")
    if suspects is None:
        return None
    return sum(suspect["file"] in planted for suspect in suspects[: len(planted)]) / len(planted)
