"""The results of the recipes on one set in one form, and the differences between them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.comparison import Comparison, Contender, Trial
from benchmarks.other_work import QUIET_CORES
from benchmarks.paired_differences import Difference, log_ratio, paired_difference
from benchmarks.run_results import RunResult


@dataclass(frozen=True)
class Table:
    """runs: for each contender with any, by the number of the split."""

    comparison: Comparison
    trial: Trial
    runs: Mapping[Contender, Mapping[int, RunResult]]

    def ours(self) -> list[Contender]:
        return [each for each in self.runs if each.recipe == self.comparison.ours]

    def opponents(self) -> list[Contender]:
        return [each for each in self.runs if each.recipe != self.comparison.ours]

    def named(self, name: str) -> Contender | None:
        return next((each for each in self.runs if each.name == name), None)

    def mean(self, contender: Contender) -> float:
        return statistics.mean(self._score(run) for run in self.runs[contender].values())

    def better_opponent(self) -> Contender | None:
        """The other recipe with the highest mean; None unless all of them were run."""
        found = self.opponents()
        return max(found, key=self.mean) if len(found) == len(self.comparison.revisions) else None

    def difference(self, one: Contender, other: Contender) -> Difference | None:
        """None where no split has both. Raises ValueError if they scored different pictures."""
        pairs = self._pairs(one, other)
        if not pairs:
            return None
        for ours, theirs in pairs:
            if ours.held_out != theirs.held_out:
                raise ValueError(
                    f"{self.trial.set_name}, {self.trial.form}, split {ours.key.split}: {one.name} and {other.name} "
                    "scored different pictures, so they cannot be compared."
                )
        scored = statistics.mean(ours.scored for ours, _ in pairs)
        return paired_difference(
            [self._score(ours) for ours, _ in pairs],
            [self._score(theirs) for _, theirs in pairs],
            scored,
            self.trial.pictures,
        )

    def share_of_time(self, one: Contender, other: Contender) -> Difference | None:
        """The logarithm of the ratio of their seconds, from the splits where nothing disturbed either of them."""
        pairs = self._pairs(one, other)
        quiet = [pair for pair in pairs if all(run.other_cores <= QUIET_CORES for run in pair)]
        if not quiet:
            return None
        return log_ratio([ours.seconds for ours, _ in quiet], [theirs.seconds for _, theirs in quiet])

    def _pairs(self, one: Contender, other: Contender) -> list[tuple[RunResult, RunResult]]:
        ours, theirs = self.runs.get(one, {}), self.runs.get(other, {})
        return [(ours[split], theirs[split]) for split in sorted(set(ours) & set(theirs))]

    def _score(self, run: RunResult) -> float:
        return run.scores[self.comparison.scores[0]]
