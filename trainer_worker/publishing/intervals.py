"""The 95 % intervals of the scores in a model card.

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
