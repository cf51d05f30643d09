"""How a caller's time budget is spent: a quarter of it on an interim model, the rest on a better one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

#: The share of the budget after which the interim model is published.
INTERIM_MODEL_SHARE = 0.25
#: The share of the budget after which a classifier reads no more pictures.
READING_SHARE = 0.6


class TimeBudget:
    """A time budget; 0 s is no limit. Times are monotonic seconds."""

    def __init__(
        self, budget_s: float, clock: Callable[[], float] = time.monotonic, began_s: float | None = None
    ) -> None:
        """began_s: when it began; by default it begins now."""
        self._began_s = clock() if began_s is None else began_s
        self.is_limited = budget_s > 0
        self._budget_s = budget_s or math.inf

    def by_s(self, share: float, reserve_s: float = 0.0) -> float:
        """The time that is reserve_s before `share` of the budget (0 to 1) is used up; infinity without a limit."""
        return self._began_s + share * self._budget_s - reserve_s


def share_spent(begun_s: float, end_by_s: float) -> float:
    """The share of the time between two moments that is over: 0 at the first, 1 at the second. Monotonic seconds."""
    if end_by_s <= begun_s:
        return 1.0
    return (time.monotonic() - begun_s) / (end_by_s - begun_s)
