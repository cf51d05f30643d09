"""The intervals of paired differences, tried on simulated recipes whose true difference is known."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from benchmarks.paired_differences import Difference, at_least, log_ratio, mean_difference, paired_difference

PICTURES, SCORED, SPLITS, SETS = 300, 100, 5, 400
#: The share of pictures that only one of two recipes has right, and the deviation that training adds in each split.
DIFFERING, LUCK = 0.2, 0.005

Scores = tuple[list[float], list[float]]


def simulated(truth: float, seed: int) -> list[Scores]:
    """The scores of two recipes on the splits of many sets, where the first one is better by `truth` on all pictures.

    Each set is a sample of all pictures of its kind. Each split scores some of its pictures.
    """
    random = np.random.default_rng(seed)
    sets = []
    for _ in range(SETS):
        is_won = random.uniform(size=PICTURES) < 0.5 + truth / (2 * DIFFERING)
        gain = np.where(random.uniform(size=PICTURES) < DIFFERING, np.where(is_won, 1.0, -1.0), 0.0)
        scored = [random.choice(PICTURES, SCORED, replace=False) for _ in range(SPLITS)]
        ours = [0.8 + float(gain[rows].mean() + random.normal(0, LUCK)) for rows in scored]
        sets.append((ours, [0.8] * SPLITS))
    return sets


def share_that_holds(sets: list[Scores], truth: float, pictures: float) -> float:
    """The share of the intervals in which the true difference lies."""
    intervals = [paired_difference(ours, theirs, SCORED, pictures).interval for ours, theirs in sets]
    return statistics.mean(low <= truth <= high for low, high in intervals)


@pytest.mark.parametrize("truth", [0.0, 0.04])
def test_intervals_hold_the_true_difference_as_often_as_they_say(truth: float) -> None:
    sets = simulated(truth, seed=1)
    assert 0.93 <= share_that_holds(sets, truth, PICTURES) <= 0.975
    # Plain t takes the splits for independent, as they would be in an endless set.
    assert share_that_holds(sets, truth, math.inf) < 0.88


@pytest.mark.parametrize("truth", [0.0, 0.04])
def test_the_mean_over_sets_is_as_sure_and_much_narrower(truth: float) -> None:
    sets = [paired_difference(ours, theirs, SCORED, PICTURES) for ours, theirs in simulated(truth, seed=2)]
    means = [mean_difference(sets[start : start + 5]) for start in range(0, SETS, 5)]
    assert 0.9 <= statistics.mean(low <= truth <= high for low, high in (each.interval for each in means)) <= 1.0
    assert statistics.mean(map(width, means)) < 0.4 * statistics.mean(map(width, sets))


def width(found: Difference) -> float:
    low, high = found.interval
    return high - low


def test_a_target_is_decided_only_by_the_whole_interval() -> None:
    def around(mean: float) -> Difference:
        return Difference(mean, 0.01, 1e9)  # 1.96 points to each side

    assert at_least(around(0.03), 0.0) == "holds"
    assert at_least(around(0.01), 0.0) == "cannot tell"
    assert at_least(around(-0.01), 0.0) == "cannot tell"
    assert at_least(around(-0.03), 0.0) == "MISSED"
    assert at_least(around(0.017), 0.0) == "cannot tell"
    assert at_least(around(0.017), 0.0, tolerance=0.005) == "holds"


def test_one_split_decides_nothing() -> None:
    found = paired_difference([0.99], [0.5], 100, 500)
    assert found.mean == pytest.approx(0.49)
    assert at_least(found, 0.0) == "cannot tell"
    assert at_least(mean_difference([found, paired_difference([0.9] * 5, [0.5] * 5, 100, 500)]), 0.0) == "cannot tell"


def test_splits_that_agree_exactly_are_not_certain() -> None:
    """One picture more might have been right."""
    low, high = paired_difference([0.9] * 5, [0.9] * 5, 100, 500).interval
    assert low == -high
    assert 0.005 < high < 0.015


def test_times_are_compared_by_their_ratios() -> None:
    found = log_ratio([1.0, 10.0, 3.0], [5.0, 50.0, 15.0])
    assert math.exp(found.mean) == pytest.approx(0.2)
    assert math.exp(log_ratio([1.0, 4.0], [1.0, 1.0]).mean) == pytest.approx(2.0)
