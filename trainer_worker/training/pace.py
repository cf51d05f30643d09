"""How far plans were off on this machine, learned from its finished tasks.

    <cache_dir>/pace.json     {"classification": [0.93, 1.21, ...], ...}: seconds that a task took by seconds planned

The middle of these turns a plan's estimate into a range that holds the real end about as often as it should: the
quantiles of past errors, as in split conformal prediction (Papadopoulos et al. 2002). Machines change, by other work
above all; so each end outside its range widens the next ones and each inside narrows them (adaptive conformal
inference, Gibbs and Candès 2021).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from pathlib import Path

#: The share of tasks that are to end inside their range.
COVERAGE = 0.8
#: Until so many tasks have ended here, and only these many of the newest.
LEAST_TASKS, MOST_TASKS = 8, 50
#: How much one end moves the share of past errors that is left out of the range.
ADAPTATION = 0.05
#: What a range is stretched by at most, below and above, when the errors of all past tasks were too few.
MOST_STRETCH = 1.5
#: Factors for the time before: plans were made on another machine.
UNKNOWN = (0.5, 2.5)


class Pace:
    """The ratios of one trainType. Two workers that share a cache_dir may lose one of each other's entries."""

    def __init__(self, cache_dir: Path, train_type: str) -> None:
        self._path = cache_dir / "pace.json"
        self._train_type = train_type

    def factors(self) -> tuple[float, float]:
        """(low, high): what to multiply a plan's seconds with, for a range that holds the real ones."""
        ratios = self._load().get(self._train_type, [])
        if len(ratios) < LEAST_TASKS:
            return UNKNOWN
        outside = 1.0 - COVERAGE
        for ended in range(LEAST_TASKS, len(ratios)):
            low, high = _middle(ratios[:ended], outside)
            missed = not low <= ratios[ended] <= high
            outside += ADAPTATION * (1.0 - COVERAGE - missed)
        return _middle(ratios, outside)

    def add(self, took_s: float, planned_s: float) -> None:
        """A task has run to its end. A disk that takes nothing costs the range its width, not the task."""
        if not (took_s > 0 and planned_s > 0):
            return
        known = self._load()
        known[self._train_type] = [*known.get(self._train_type, []), round(took_s / planned_s, 4)][-MOST_TASKS:]
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps(known))
            temporary.replace(self._path)

    def _load(self) -> dict[str, list[float]]:
        try:
            known = json.loads(self._path.read_text())
            return {str(name): [float(ratio) for ratio in ratios] for name, ratios in known.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


def _middle(ratios: list[float], outside: float) -> tuple[float, float]:
    """What holds all but the share `outside` of the next ratio's likely values; below 0.0 it is stretched."""
    ordered = sorted(ratios)
    each_side = max(0.0, outside) / 2
    low = math.floor((len(ordered) + 1) * each_side) - 1
    high = math.ceil((len(ordered) + 1) * (1.0 - each_side)) - 1
    stretch = min(MOST_STRETCH, 1.0 + max(0.0, -outside))
    return ordered[max(0, low)] / stretch, ordered[min(len(ordered) - 1, high)] * stretch
