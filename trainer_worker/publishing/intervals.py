"""95 % intervals for the scores in a model card."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Z_95 = 1.959964
RESAMPLES = 2000


def wilson(right: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share, `right` of `of` > 0 (Wilson, 1927): sound also for few pictures and near 0 or 1."""
    share, z2 = right / of, Z_95**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z_95 / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of a mean, from the means of drawings with replacement (Efron, 1979); always the same draw."""
    drawn = np.random.default_rng(0).choice(np.asarray(values, float), (RESAMPLES, len(values)))
    low, high = np.percentile(drawn.mean(axis=1), (2.5, 97.5))
    return float(low), float(high)
