"""Records a scenario once, and cuts its power at many moments."""

from __future__ import annotations

import copy
import os
import random
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.power_loss.disk import FATES, Disk, Entry, Fate, drawn_fate
from tests.chaos.power_loss.recording import Change, Kind, Recorder
from tests.chaos.power_loss.scenario import Problem, Scenario

REPOSITORY = Path(__file__).resolve().parents[3]
TIMEOUT_S = 300.0
#: States are written into memory, where there is some, because thousands of them are looked at.
_MEMORY = Path("/dev/shm")
#: Problems that are kept to be shown.
MOST_SHOWN = 5


def no_file_is_synced(entry: Entry) -> bool:
    """A control: the disk confirms every sync of a file and does nothing."""
    return entry.kind is not Kind.MKDIR


def no_folder_is_synced(entry: Entry) -> bool:
    """A control: as if the program never synced a folder."""
    return entry.kind is Kind.MKDIR


def every_sync_counts(entry: Entry) -> bool:
    return False


@dataclass
class Account:
    """What many power cuts have come to."""

    cuts: int = 0
    states: int = 0
    lost: int = 0
    torn: int = 0
    #: The first problems, with the moment and what became of that which was not synced.
    shown: list[str] = field(default_factory=list)

    def add(self, problem: Problem, where: str) -> None:
        if problem.kind == "lost":
            self.lost += 1
        else:
            self.torn += 1
        if len(self.shown) < MOST_SHOWN:
            self.shown.append(f"{problem.kind}: {problem.sentence} ({where})")


class Trial:
    """A recorded scenario."""

    def __init__(self, scenario: Scenario, place: Path) -> None:
        """place: an empty folder for the recording, which may be deleted afterwards."""
        self.scenario = scenario
        folder = place / "disk"
        folder.mkdir()
        scenario.prepare(folder)
        self._before = Disk(folder)
        recorder = Recorder(folder, place / "changes.log")
        words = [sys.executable, "-m", "tests.chaos.power_loss.act", scenario.name, str(recorder.folder)]
        recorder.run(words, os.environ, REPOSITORY, TIMEOUT_S)
        self.changes: Sequence[Change] = recorder.changes()

    def disk(self) -> Disk:
        """The disk before the first change."""
        return copy.deepcopy(self._before)

    def cut(
        self, cuts: int, drawn: int, seed: int = 1, ignores: Callable[[Entry], bool] = every_sync_counts
    ) -> Account:
        """Cut the power after `cuts` of the changes, each time with all FATES and with `drawn` random ones.

        ignores: for controls, the syncs that the disk only pretends to do.
        """
        account, chance = Account(), random.Random(seed)
        disk = self.disk()
        disk.ignores = ignores
        moments = set(chance.sample(range(len(self.changes) + 1), min(cuts, len(self.changes) + 1)))
        # What was told to others is most easily lost just after it was told.
        marks: list[str] = []
        for number, change in enumerate([None, *self.changes]):
            if change is not None:
                disk.apply(change)
                if change.kind is Kind.MARK:
                    marks.append(change.data.decode())
            if number not in moments:
                continue
            account.cuts += 1
            after = f"after change {number}, {change.kind.name} {change.name}" if change else "before the first change"
            for fate in _fates(disk, drawn, chance):
                account.states += 1
                with _written(disk, fate) as folder:
                    for problem in _problems(self.scenario, folder, marks):
                        account.add(problem, f"{after}: {fate.name}")
        return account


def _problems(scenario: Scenario, folder: Path, marks: Sequence[str]) -> Iterator[Problem]:
    try:
        yield from scenario.problems(folder, marks)
    except sqlite3.Error as error:
        yield Problem("torn", f"SQLite can't go on: {error}")


def _fates(disk: Disk, drawn: int, chance: random.Random) -> Iterator[Fate]:
    if disk.is_settled():
        yield FATES[0]
        return
    yield from FATES
    for _ in range(drawn):
        yield drawn_fate(chance)


@contextmanager
def _written(disk: Disk, fate: Fate) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as name:
        folder = Path(name) / "disk"
        folder.mkdir()
        disk.write(folder, fate)
        yield folder
