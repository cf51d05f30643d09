"""Each planted fault still has its place in the code, so that `make test-mutants` means what it says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.faults import FAULTS, Fault

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_fits_once_and_leaves_code_that_parses(fault: Fault) -> None:
    text = (ROOT / fault.file).read_text()
    assert text.count(fault.old) == 1, f"give tests/mutants/faults.py the new text of {fault.file}"
    ast.parse(text.replace(fault.old, fault.new))


def test_there_are_enough_of_them() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 15
