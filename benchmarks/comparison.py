"""Compares TFModel's trainer with recipes that people use. Runs each in a process, prints a table and the targets."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OURS = "tfmodel"
RUN_TIMEOUT_S = 4 * 3600.0

#: For each recipe, the fields of benchmarks.recipe_process.Outcome of each seed.
Outcomes = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Target:
    """What tfmodel should reach: a mean first score of at least the opponent's minus `below`, in `of_time` of its time.

    below: None if the score has to be higher than the opponent's. of_time: None if the time does not matter.
    """

    opponent: str
    below: float | None = None
    of_time: float | None = None


@dataclass(frozen=True)
class Comparison:
    """runs: the module that runs one recipe in a process. scores: names in an Outcome; the first one decides."""

    runs: str
    recipes: tuple[str, ...]
    scores: tuple[str, ...]
    targets: tuple[Target, ...]

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 1 on")
        parser.add_argument("--recipes", type=self._recipe_names, default=list(self.recipes))
        parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
        parser.add_argument("--cache-dir", type=Path, default=Path(tempfile.gettempdir()) / "tfmodel-benchmark-cache")

    def _recipe_names(self, text: str) -> list[str]:
        names = text.split(",")
        if not set(names) <= set(self.recipes):
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of some of {','.join(self.recipes)}")
        return names

    def run(self, recipe: str, project: Path, flags: Sequence[str]) -> dict[str, Any]:
        """Run one recipe. Returns the fields of an Outcome; RuntimeError has the end of a failed run's output."""
        command = [sys.executable, "-m", self.runs, recipe, str(project), *flags]
        root = Path(__file__).resolve().parent.parent
        ended = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=RUN_TIMEOUT_S, check=False)
        if ended.returncode != 0:
            raise RuntimeError(f"{' '.join(command[2:])} ended with {ended.returncode}:\n{ended.stderr[-3000:]}")
        lines = ended.stdout.splitlines()
        outcome: dict[str, Any] = json.loads(lines[-1]) if lines else {}
        return outcome

    def report(self, lay_out: Callable[[Path], None], recipes: Sequence[str], seeds: int, flags: Sequence[str]) -> None:
        """Run every recipe with every seed, one after the other, each in a new folder that lay_out fills."""
        outcomes: Outcomes = {recipe: [] for recipe in recipes}
        for seed in range(1, seeds + 1):
            for recipe in recipes:
                with tempfile.TemporaryDirectory() as folder:
                    lay_out(Path(folder))
                    outcome = self.run(recipe, Path(folder).resolve(), ["--option", f"seed={seed}", *flags])
                outcomes[recipe].append(outcome)
                print(f"seed {seed}, {recipe:<11}{_one_line(outcome)}", flush=True)
                if outcome["held_out"] != outcomes[recipes[0]][-1]["held_out"]:
                    raise RuntimeError(f"{recipe} scored other images than {recipes[0]}, so they cannot be compared")
        self._print_table(outcomes)
        print("\n".join(self.target_lines(outcomes)), flush=True)

    def _print_table(self, outcomes: Outcomes) -> None:
        columns = (*map(_in_words, self.scores), "seconds", "images/s", "peak memory MB")
        print(f"\n{'mean ± deviation':<17}" + "".join(f"{column:>20}" for column in columns))
        for recipe, runs in outcomes.items():
            cells = (
                *(_spread([100 * run["scores"][name] for run in runs], "%") for name in self.scores),
                _spread([run["seconds"] for run in runs]),
                _spread([run["images"] / run["seconds"] for run in runs]),
                _spread([run["peak_mb"] for run in runs]),
            )
            print(f"{recipe:<17}" + "".join(f"{cell:>20}" for cell in cells))

    def target_lines(self, outcomes: Outcomes) -> list[str]:
        """A line for each target whose opponent was run, which says whether it is met."""
        return [
            self._target_line(target, outcomes[OURS], outcomes[target.opponent])
            for target in self.targets
            if OURS in outcomes and target.opponent in outcomes
        ]

    def _target_line(self, target: Target, our_runs: list[dict[str, Any]], their_runs: list[dict[str, Any]]) -> str:
        decides = self.scores[0]
        ours, theirs = (statistics.mean(run["scores"][decides] for run in runs) for runs in (our_runs, their_runs))
        ahead = ours - theirs
        if target.below is None:
            wanted, holds = "above 0", ahead > 0
        else:
            wanted, holds = f"{-100 * target.below:+.1f}", ahead >= -target.below
        line = f"{OURS} - {target.opponent}: {100 * ahead:+.2f} points, target {wanted}: {_verdict(holds)}"
        if target.of_time is None:
            return line
        ours, theirs = (statistics.mean(run["seconds"] for run in runs) for runs in (our_runs, their_runs))
        share = ours / theirs
        return f"{line}; {share:.2f} of its time, target {target.of_time:.2g}: {_verdict(share <= target.of_time)}"


def _one_line(outcome: Mapping[str, Any]) -> str:
    scores = ", ".join(f"{_in_words(name)} {value:.4f}" for name, value in outcome["scores"].items())
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in (outcome["stage_seconds"] or {}).items())
    return f"{scores}, {outcome['seconds']:.1f} s" + (f" ({stages})" if stages else "")


def _in_words(score: str) -> str:
    return score.replace("_", " ")


def _spread(values: Sequence[float], unit: str = "") -> str:
    """Mean and standard deviation over the seeds; the mean alone if there is one seed."""
    mean = f"{statistics.mean(values):.1f}"
    return f"{mean} ± {statistics.stdev(values):.1f}{unit}" if len(values) > 1 else mean + unit


def _verdict(holds: bool) -> str:
    return "holds" if holds else "MISSED"
