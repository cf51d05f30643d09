"""The intervals of the model card, against published figures and their own promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trainer_worker.scores.intervals import bootstrap, wilson


@pytest.mark.parametrize(
    ("right", "of", "interval"),
    [(8, 10, (0.490, 0.943)), (0, 10, (0.0, 0.278)), (10, 10, (0.722, 1.0)), (81, 263, (0.255, 0.366))],
)
def test_wilson_gives_known_figures(right: int, of: int, interval: tuple[float, float]) -> None:
    """81 of 263: Newcombe, Two-sided confidence intervals for the single proportion (1998), table I."""
    assert wilson(right, of) == pytest.approx(interval, abs=5e-4)


#: Kinds of pictures' scores with their true mean: usual ones, nearly perfect ones, all or nothing, and some failures.
SCORES: dict[str, tuple[Callable[[np.random.Generator, int], Any], float]] = {
    "usual": (lambda rng, count: rng.beta(5, 2, count), 5 / 7),
    "nearly perfect": (lambda rng, count: rng.beta(18, 2, count), 0.9),
    "all or nothing": (lambda rng, count: rng.random(count) < 0.8, 0.8),
    "one in ten fails": (lambda rng, count: np.where(rng.random(count) < 0.1, 0, rng.beta(18, 2, count)), 0.81),
}


@pytest.mark.parametrize("count", [5, 12, 60])
@pytest.mark.parametrize("kind", SCORES)
def test_the_bootstrap_holds_the_mean_in_nine_of_ten_however_few_values_there_are(kind: str, count: int) -> None:
    draw, mean = SCORES[kind]
    rng = np.random.default_rng(1)
    intervals = [bootstrap([float(value) for value in draw(rng, count)]) for _ in range(100)]

    assert np.mean([low <= mean <= high for low, high in intervals]) >= 0.9


def test_the_bootstrap_is_repeatable_and_never_sure_of_few_values() -> None:
    assert bootstrap([0.5, 0.7, 0.9]) == bootstrap([0.5, 0.7, 0.9])
    low, high = bootstrap([1.0] * 5)
    assert low < 0.7
    assert high == 1.0
    assert bootstrap([0.5], [3.0]) == bootstrap([0.5])


def test_the_bootstrap_gives_known_figures() -> None:
    # As many values as a large project holds out: the bootstrap is near the interval of the normal distribution.
    values = np.random.default_rng(2).beta(5, 2, 1000)
    half = 1.96 * values.std() / np.sqrt(1000)
    assert bootstrap(values.tolist()) == pytest.approx((values.mean() - half, values.mean() + half), abs=half / 10)
    # With weights, it is that of a ratio of sums: here by the delta method.
    weights = np.random.default_rng(3).uniform(1, 5, 1000)
    mean = np.average(values, weights=weights)
    half = 1.96 * np.sqrt(np.mean((weights * (values - mean)) ** 2) / 1000) / weights.mean()
    assert bootstrap(values.tolist(), weights.tolist()) == pytest.approx((mean - half, mean + half), abs=half / 8)
