"""Compares TFModel's trainer with recipes that people use: what is compared, and how the command line says so."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.code_hash import code_hash
from benchmarks.run_results import RunKey

RUN_TIMEOUT_S = 4 * 3600.0
#: The rooms of trainer_worker/ that the room of a trainType imports from (ARCHITECTURE.md), besides its own.
ROOMS = (
    *("scores", "pictures", "layouts", "project", "attempt", "backbones", "optimization", "exporting", "reporting"),
    "publishing",
)


def trainer_code(train_type: str) -> tuple[str, ...]:
    """The folders with the code on which the results of a trainType depend."""
    return "protocol", *(f"trainer_worker/{room}" for room in (*ROOMS, train_type))


@dataclass(frozen=True)
class Contender:
    """A row of the tables: a recipe with options (NAME=VALUE) that only this row has. revision: of its code."""

    name: str
    recipe: str
    revision: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """One set in one form. content: a hash of the set. pictures: how many the set has.

    lay_out(split, project): fills a project folder for the split of this number. options: NAME=VALUE that suit the set.
    """

    set_name: str
    form: str
    content: str
    pictures: int
    lay_out: Callable[[int, Path], None] = field(compare=False)
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Which recipes are compared, and how.

    runs: the module that runs one recipe in a process. recipes: TFModel's first. scores: names in an Outcome; the first
    one decides. code: folders with the code of TFModel's recipe. revisions: a number for each other recipe, to be
    raised when that recipe would give other results. shared_options: options that the other recipes know as well.
    of_time: the share of another recipe's seconds that TFModel may take.
    """

    runs: str
    recipes: tuple[str, ...]
    scores: tuple[str, ...]
    code: tuple[str, ...]
    revisions: Mapping[str, int]
    shared_options: tuple[str, ...]
    of_time: Mapping[str, float]

    @property
    def ours(self) -> str:
        return self.recipes[0]

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--seeds", type=int, default=5, help="how many splits, from 1 on")
        parser.add_argument("--recipes", type=self._recipe_names, default=list(self.recipes))
        parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="for all recipes")
        parser.add_argument(
            "--variant",
            action="append",
            default=[],
            type=self._variant,
            metavar="NAME:OPTION=VALUE,...",
            help=f"a further row: {self.ours} with these options",
        )
        parser.add_argument("--results", type=Path, help="a file that keeps every run; runs in it are not repeated")
        parser.add_argument("--quiet", action="store_true", help="repeat the runs that other processes disturbed")
        parser.add_argument("--report-only", action="store_true", help="run nothing; print what --results holds")
        parser.add_argument("--code", help=f"with --report-only: the runs of {self.ours} with this code")
        parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
        parser.add_argument("--cache-dir", type=Path, default=Path(tempfile.gettempdir()) / "tfmodel-benchmark-cache")

    def check(self, parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
        """Refuse arguments that don't belong together."""
        if arguments.report_only and not arguments.results:
            parser.error("--report-only prints what a file holds; name it with --results")
        if arguments.code and not arguments.report_only:
            parser.error("--code chooses among earlier results; say --report-only")

    def _recipe_names(self, text: str) -> list[str]:
        names = text.split(",")
        if not set(names) <= set(self.recipes):
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of some of {','.join(self.recipes)}")
        return names

    def _variant(self, text: str) -> tuple[str, tuple[str, ...]]:
        name, _, options = text.partition(":")
        if not name or name in self.recipes or not all("=" in option for option in options.split(",")):
            raise argparse.ArgumentTypeError(f"{text!r} is not a new name with options, such as lite2:backbone=lite2")
        return name, tuple(options.split(","))

    def contenders(self, arguments: argparse.Namespace) -> list[Contender]:
        """The rows of the tables: recipes in their usual order, then variants."""
        ours = arguments.code or self.code_of_ours()
        revisions = {self.ours: ours} | {name: str(number) for name, number in self.revisions.items()}
        named = [Contender(name, name, revisions[name]) for name in self.recipes if name in arguments.recipes]
        return [*named, *(Contender(name, self.ours, ours, options) for name, options in arguments.variant)]

    def code_of_ours(self) -> str:
        return code_hash(self.code)

    def key(self, trial: Trial, contender: Contender, split: int, arguments: argparse.Namespace) -> RunKey:
        given = dict(text.split("=", 1) for text in (*trial.options, *arguments.option, *contender.options))
        known = given if contender.recipe == self.ours else set(self.shared_options) & set(given)
        return RunKey(
            contender.recipe,
            contender.revision,
            tuple(f"{name}={given[name]}" for name in sorted(known)),
            trial.content,
            trial.form,
            split,
            arguments.threads,
            arguments.smoke,
        )

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
