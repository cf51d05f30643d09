"""Results of runs of recipes in a file of JSON lines, so that a long measurement can be interrupted and continued."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec


class RunKey(msgspec.Struct, frozen=True):
    """What a result depends on. Runs with the same key are not repeated.

    revision: of the recipe's code. options: NAME=VALUE, sorted. content: a hash of the set. form: how much of it is
    used. split: the number from which the pictures are drawn, which is the training's seed as well.
    """

    recipe: str
    revision: str
    options: tuple[str, ...]
    content: str
    form: str
    split: int
    threads: int
    quick: bool


class RunResult(msgspec.Struct, frozen=True):
    """One run. pictures: of the whole set. scored: how many of them scored, and held_out is a hash of their names.

    scores: by name, 0 to 1. images, seconds, peak_mb, stage_seconds: see benchmarks.recipe_process.Outcome. load: the
    load average when it started. other_cores: how many cores other processes kept busy meanwhile.
    """

    key: RunKey
    set_name: str
    pictures: int
    scored: int
    held_out: str
    scores: dict[str, float]
    images: int
    seconds: float
    peak_mb: float
    stage_seconds: dict[str, float] | None
    load: float
    other_cores: float
    started: str
    machine: str


class RunResults:
    """The file is read anew each time, so that several measurements may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> list[RunResult]:
        """In the order in which they were added. Lines that an interruption cut off are left out."""
        found = []
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        for line in lines:
            try:
                found.append(msgspec.json.decode(line, type=RunResult))
            except msgspec.DecodeError:
                if line:
                    print(f"{self._path.name} has a line that is no result; it is left out: {line[:60]!r}")
        return found

    def newest(self) -> dict[RunKey, RunResult]:
        return {result.key: result for result in self.all()}

    def add(self, result: RunResult) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # A line that an interruption cut off has no end. The empty line that begins each entry keeps it apart.
        with self._path.open("ab") as file:
            file.write(b"\n" + msgspec.json.encode(result) + b"\n")
            file.flush()
            os.fsync(file.fileno())
