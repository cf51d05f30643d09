"""The 95 % intervals of scores."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

CONFIDENCE = 0.95
#: What is said instead of a score whose interval is too wide to mean anything.
NOT_ENOUGH = "not enough to tell"
#: The quantile of the standard normal distribution that leaves 2.5 % above.
Z = 1.959964
RESAMPLES = 2000
#: Resamples that are in memory at once. Without a limit, 100,000 held-out pictures would take 1.6 GB.
RESAMPLES_A_BATCH = 100


def wilson(right: float, of: float) -> tuple[float, float]:
    """The interval of a share, `right` of `of` > 0 (Wilson 1927). It also holds for few pictures and near 0 or 1.

    Both need not be whole: of pictures that are not independent, fewer count (see effective_number).
    """
    share, spread = right / of, Z**2 / of
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + (spread / 2) ** 2) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def effective_number(groups: np.ndarray) -> float:
    """How many independent pictures say as much as these (Kish 1965): copies in one group count little more than one.

    groups: a number for each picture, int64 (n,), n >= 1; pictures of one group are right or wrong together.
    """
    sizes = np.unique(groups, return_counts=True)[1].astype(float)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


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
