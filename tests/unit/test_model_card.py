"""The intervals of the model card, against published figures and their own promise."""

from __future__ import annotations

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


def test_the_bootstrap_holds_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    intervals = [bootstrap(rng.beta(5, 2, 40).tolist()) for _ in range(200)]

    held = np.mean([low <= 5 / 7 <= high for low, high in intervals])

    assert 0.88 <= held <= 0.99
    assert bootstrap([0.5, 0.7, 0.9]) == bootstrap([0.5, 0.7, 0.9])
    assert bootstrap([0.5]) == (0.5, 0.5)
    assert bootstrap([1.0, 1.0]) == (1.0, 1.0)


def test_the_bootstrap_gives_known_figures() -> None:
    """Values 1 to 9: of all 9 ** 9 resamples, the 2.5 % and 97.5 % quantiles of the mean are 3.33 and 6.67."""
    assert bootstrap([float(value) for value in range(1, 10)]) == pytest.approx((10 / 3, 20 / 3), abs=0.12)
    # As many values as a large project holds out: the bootstrap is near the interval of the normal distribution.
    values = np.random.default_rng(2).beta(5, 2, 1000)
    half = 1.96 * values.std() / np.sqrt(1000)
    assert bootstrap(values.tolist()) == pytest.approx((values.mean() - half, values.mean() + half), abs=half / 10)
