"""The 95 % intervals of scores.

scipy.stats takes up to a second to import, so it is imported on first use. The check of a folder never needs it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 2000
#: Resamples that are in memory at once. Without a limit, 100,000 held-out pictures would take 1.6 GB.
RESAMPLES_A_BATCH = 100


def wilson(right: int, of: int) -> tuple[float, float]:
    """The interval of a share, `right` of `of` > 0. Wilson's method also holds for few pictures and near 0 or 1."""
    from scipy import stats

    interval = stats.binomtest(right, of).proportion_ci(CONFIDENCE, "wilson")
    return float(interval.low), float(interval.high)


def bootstrap(values: Sequence[float], weights: Sequence[float] | None = None) -> tuple[float, float]:
    """The interval of the mean of one value or more, each from 0 to 1, by the percentile bootstrap.

    weights: of the values, all above 0; by default the same for all. A value of 0 and one of 1, with the mean weight,
    are added to them. Without these two the interval of few values is far too narrow (docs/choices.md, "Intervals of
    Dice"). The same arguments give the same interval.
    """
    given = np.asarray([*values, 0.0, 1.0])
    heavy = np.ones(len(values)) if weights is None else np.asarray(weights, float)
    heavy = np.append(heavy, [heavy.mean()] * 2)
    rng = np.random.default_rng(0)
    means = []
    for _ in range(RESAMPLES // RESAMPLES_A_BATCH):
        rows = rng.integers(0, len(given), (RESAMPLES_A_BATCH, len(given)))
        means.append((given * heavy)[rows].sum(axis=1) / heavy[rows].sum(axis=1))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.concatenate(means), (tail, 1 - tail))
    return float(low), float(high)
