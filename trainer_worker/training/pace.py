"""Learns from finished tasks how far plans are off on this machine.

    <cache_dir>/pace.json     {"classification": [0.93, 1.21, ...], ...}

Each number belongs to one task: the seconds that it took, divided by the seconds that were planned.
Quantiles of these ratios turn a plan into a range for the end of a task. The ranges widen and narrow as the machine
changes (docs/choices.md, "Ranges of the remaining time").
"""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path

from conf.whole_file import whole_file

#: The share of tasks that should end inside their range.
COVERAGE = 0.8
#: Ranges are learned once this many tasks have ended here, and from no more than this many of the newest.
LEAST_TASKS, MOST_TASKS = 8, 50
#: How much one task that ends inside or outside of its range changes the share of ratios that the range leaves out.
ADAPTATION = 0.05
#: If even a range of all past ratios was too narrow, both of its ends are stretched, at most by this factor.
MOST_STRETCH = 1.5
#: The range before anything is learned; it is wide because the plans were made on another machine.
UNKNOWN = (0.5, 2.5)


class Pace:
    """The ratios of one trainType. Workers that share a cache_dir may overwrite each other's newest entry."""

    def __init__(self, cache_dir: Path, train_type: str) -> None:
        self._path = cache_dir / "pace.json"
        self._train_type = train_type

    def factors(self) -> tuple[float, float]:
        """(low, high): the factors that turn planned seconds into a range."""
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
        """Record a task that has run to its end. On a full disk nothing is learned, but the task does not fail."""
        if not (took_s > 0 and planned_s > 0):
            return
        known = self._load()
        known[self._train_type] = [*known.get(self._train_type, []), round(took_s / planned_s, 4)][-MOST_TASKS:]
        with contextlib.suppress(OSError), whole_file(self._path, synced=False) as file:
            file.write(json.dumps(known).encode())

    def _load(self) -> dict[str, list[float]]:
        try:
            known = json.loads(self._path.read_text())
            return {str(name): [float(ratio) for ratio in ratios] for name, ratios in known.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


def _middle(ratios: list[float], outside: float) -> tuple[float, float]:
    """The range of the ratios, without the share `outside` at its two ends. A negative share stretches the range."""
    ordered = sorted(ratios)
    each_side = max(0.0, outside) / 2
    low = math.floor((len(ordered) + 1) * each_side) - 1
    high = math.ceil((len(ordered) + 1) * (1.0 - each_side)) - 1
    stretch = min(MOST_STRETCH, 1.0 + max(0.0, -outside))
    return ordered[max(0, low)] / stretch, ordered[min(len(ordered) - 1, high)] * stretch
