"""Runs the tests of the doors and says for each door how they went."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tests.security.doors import DOORS

TESTS = Path(__file__).resolve().parents[1]


class DoorReport:
    """A pytest plugin: counts outcomes by the door that a test is marked with."""

    def __init__(self) -> None:
        self.outcomes: dict[int, Counter[str]] = defaultdict(Counter)
        self._doors_of: dict[str, list[int]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            self._doors_of[item.nodeid] = [mark.args[0] for mark in item.iter_markers("door")]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # A test that fails while it is set up has no call; one that passes counts once.
        if report.when == "call" or report.outcome != "passed":
            for door in self._doors_of[report.nodeid]:
                self.outcomes[door][report.outcome] += 1

    def lines(self) -> list[str]:
        """One line a door, with the numbers of its tests that passed, failed or were skipped."""
        return [f"{number:>3}  {self._in_words(number):<24} {words}" for number, words in DOORS.items()]

    @property
    def all_shut(self) -> bool:
        """Whether each door has a test that ran, and none of its tests failed."""
        return all(self.outcomes[door]["passed"] and not self.outcomes[door]["failed"] for door in DOORS)

    def _in_words(self, door: int) -> str:
        counts = self.outcomes[door]
        return ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items())) or "NO TEST RAN"


def try_doors() -> DoorReport:
    """Run every test that is marked with a door, in this process."""
    report = DoorReport()
    pytest.main(["-q", "-m", "door", str(TESTS)], plugins=[report])
    return report
