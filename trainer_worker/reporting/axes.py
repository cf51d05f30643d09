"""Chooses the ends and ticks of a chart's axes. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from trainer_worker.reporting.blocks import Axis

#: An axis has about this many ticks.
TICKS = 5
_ROUND_STEPS = (1, 2, 5, 10)


def axis(title: str, values: Sequence[float], text: Callable[[float], str], most: float = math.inf) -> Axis:
    """An axis that holds all values, with ticks at round numbers. most: the largest value that makes sense."""
    low, high = min(values), max(values)
    step = _round_step((high - low) / (TICKS - 1) or abs(high) / (TICKS - 1) or 1.0)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if first == last:
        last += 1
    ticks = [number * step for number in range(first, last + 1) if number * step <= most + 1e-9]
    return Axis(title, ticks[0], min(most, max(ticks[-1], high)), tuple((tick, text(tick)) for tick in ticks))


def whole_axis(title: str, values: Sequence[float], text: Callable[[float], str]) -> Axis:
    """An axis from the first to the last value whose ticks are some of the values themselves."""
    distinct = sorted(set(values))
    every = -(-len(distinct) // (TICKS + 1))
    ticks = [value for number, value in enumerate(distinct) if number % every == 0]
    return Axis(title, distinct[0], distinct[-1], tuple((tick, text(tick)) for tick in ticks))


def _round_step(least: float) -> float:
    """The smallest round number that is not below `least`."""
    magnitude = 10.0 ** math.floor(math.log10(least))
    return next(step * magnitude for step in _ROUND_STEPS if step * magnitude >= least - 1e-12)
