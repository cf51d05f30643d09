"""The 95 % intervals of scores.

scipy.stats takes up to a second to import, so it is imported on first use. The check of a folder never needs it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

CONFIDENCE = 0.95
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


def bootstrap(values: Sequence[float]) -> tuple[float, float]:
    """The interval of the mean of one value or more, by the percentile bootstrap. Equal values give equal intervals."""
    if len(values) == 1:  # SciPy refuses a single value
        return values[0], values[0]
    from scipy import stats

    found = stats.bootstrap(
        (np.asarray(values, float),),
        np.mean,
        n_resamples=RESAMPLES,
        batch=RESAMPLES_A_BATCH,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
