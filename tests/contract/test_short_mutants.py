"""A short share of `make test-mutants`: the harness plants a fault in a copy of the tree, and the suite catches it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.__main__ import copy_tree, plant, suite_fails
from tests.mutants.faults import FAULTS

#: Name of the fault, and the tests that are to catch it.
SHORT = {
    "answer before commit": "tests/socket/test_group_commit.py",
    "stale attempt accepted": "tests/unit/test_broker_core.py",
    "result sent once only": "tests/unit/test_agent_core.py",
}


@pytest.mark.parametrize("name", SHORT)
def test_a_planted_fault_is_caught_by_the_tests_of_its_part(name: str, tmp_path: Path) -> None:
    fault = next(fault for fault in FAULTS if fault.name == name)
    copy_tree(tmp_path)
    assert suite_fails(tmp_path, [SHORT[name]]) == ""
    plant(fault, tmp_path)
    assert suite_fails(tmp_path, [SHORT[name]]).startswith("FAILED")
