"""Writes figures as report.html should, without its code."""

from __future__ import annotations

import math


def percent(share: float) -> str:
    rounded = f"{100 * share:.0f}"
    if rounded == "100" and share < 1:
        return "> 99 %"
    return "< 1 %" if rounded == "0" and share > 0 else f"{rounded} %"


def outwards(low: float, high: float) -> str:
    """A range in percent; what floating point adds to a whole number doesn't widen it."""
    return f"{math.floor(100 * low + 1e-6)} to {math.ceil(100 * high - 1e-6)} %"


def points(share: float) -> str:
    return "less than 0.1 percentage points" if 0 < share < 0.0005 else f"{100 * share:.1f} percentage points"
