"""The arithmetic of benchmarks.honesty, computed another way: by SciPy, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.coverage import (
    Coverage,
    Interval,
    calibration_error,
    class_weights,
    coverage,
    holds,
    mean_and_error,
    weighted_share,
    wilson,
    without_temperature,
)


@pytest.mark.parametrize(("right", "of"), [(0, 2), (2, 2), (1, 3), (47, 60), (1193, 1200)])
def test_wilson_is_scipys(right: int, of: int) -> None:
    expected = stats.binomtest(right, of).proportion_ci(0.95, "wilson")
    assert wilson(right / of, of) == pytest.approx((right / of, expected.low, expected.high), abs=1e-9)


def test_equal_weights_are_worth_as_many_pictures_as_there_are() -> None:
    right = np.arange(50) < 40
    assert weighted_share(right, np.full(50, 3.0)) == pytest.approx(wilson(0.8, 50))


def test_the_truth_has_the_class_shares_of_the_folder() -> None:
    """90 % of the folder is class 0, which is always right; class 1 never is, and makes up half of the unseen."""
    classes = np.repeat([0, 1], 50)
    weights = class_weights(classes, [900, 100])
    share = weighted_share(classes == 0, weights)
    assert share.value == pytest.approx(0.9)
    assert share.width > wilson(0.9, 100).width


@pytest.mark.parametrize(("rate", "reported_of", "unseen"), [(0.9, 60, 300), (0.8, 12, 150), (0.95, 300, 1000)])
def test_an_honest_interval_holds_the_truth_in_about_95_of_100(rate: float, reported_of: int, unseen: int) -> None:
    """Report and truth are both samples of one rate, as they are for an honest product."""
    rng = np.random.default_rng(1)
    pairs = [
        (
            wilson(rng.binomial(reported_of, rate) / reported_of, reported_of),
            wilson(rng.binomial(unseen, rate) / unseen, unseen),
        )
        for _ in range(4000)
    ]
    found = coverage(pairs)
    assert 0.93 <= found.held / found.of <= 0.98
    assert found.strictly <= found.held


def test_ten_points_too_much_are_noticed() -> None:
    rng = np.random.default_rng(1)
    pairs = [
        (wilson(rng.binomial(300, 0.9) / 300, 300), wilson(rng.binomial(1000, 0.8) / 1000, 1000)) for _ in range(500)
    ]
    assert coverage(pairs).held < 25


def test_a_truth_that_is_known_exactly_has_to_lie_between_the_bounds() -> None:
    reported = Interval(0.8, 0.7, 0.9)
    assert [holds(reported, Interval(value, value, value)) for value in (0.69, 0.71, 0.89, 0.91)] == [
        False,
        True,
        True,
        False,
    ]


def test_coverage_says_how_many_and_with_which_interval() -> None:
    sure = Interval(0.5, 0.5, 0.5)
    found = coverage([(Interval(0.8, 0.7, 0.9), sure)] + [(Interval(0.5, 0.4, 0.6), sure)] * 3)
    assert found == Coverage(3, 3, 4)
    assert str(found) == "3 of 4 (30 to 95 %), strictly 3"
    assert not found.reaches(0.9)
    assert Coverage(9, 9, 10).reaches(0.9)
    assert not Coverage(0, 0, 0).reaches(0.9)


def test_the_error_of_a_mean_is_scipys() -> None:
    values = [1.0, 2.0, 4.0, 3.5]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    mean, error = mean_and_error(values)
    assert (mean - error, mean + error) == pytest.approx((low, high))
    assert math.isnan(mean_and_error([1.0])[1])


def test_the_calibration_error_by_hand() -> None:
    """Four answers at 0.9, half of them right: an error of 0.4. Two at 0.55, one of them right: 0.05."""
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.55, 0.45]] * 2)
    classes = np.array([0, 0, 1, 1, 0, 1])
    assert calibration_error(probabilities, classes, np.ones(6)) == pytest.approx((4 * 0.4 + 2 * 0.05) / 6)
    only_last = np.array([0, 0, 0, 0, 1, 1.0])
    assert calibration_error(probabilities, classes, only_last) == pytest.approx(0.05)


def test_the_temperature_can_be_taken_out_again() -> None:
    logits = np.random.default_rng(1).normal(0, 4, (50, 6))

    def softmax(values: np.ndarray) -> np.ndarray:
        raised = np.exp(values)
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))

    assert without_temperature(softmax(logits / 1.7), 1.7) == pytest.approx(softmax(logits))
