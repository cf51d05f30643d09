"""SECURITY.md lists the doors that the tests know, in the same words, and each of them has a test."""

from __future__ import annotations

import re
from pathlib import Path

from conf.settings import ROOT
from tests.security.doors import DOORS


def test_the_document_lists_the_doors_of_the_tests() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?) \|$", (ROOT / "SECURITY.md").read_text(), re.MULTILINE)
    assert {int(number): words for number, words in rows} == DOORS


def test_every_door_has_a_test_that_is_marked_with_it() -> None:
    tests = "\n".join(path.read_text() for path in Path(ROOT, "tests").rglob("test_*.py"))
    marked = {int(number) for number in re.findall(r"mark\.door\((\d+)\)", tests)}
    assert marked == set(DOORS)
