"""An MB has 2^20 bytes wherever the program says it to a person."""

from __future__ import annotations

import re

import pytest

from conf.settings import ROOT

PROGRAMS = ("broker", "cluster", "conf", "demo", "protocol", "service", "storage", "trainer_worker", "web")
_POWER = r"(1e[369]|10\*\*[369]|1000\*\*[23]|1_000_000)\b"
#: In a sentence, for a variable that is named by the unit, and in a table of units.
DECIMAL = re.compile(
    rf"{_POWER}[^\n{{}}]*\}} (kB|MB|GB)\b|_(kb|mb|gb)\b = [^\n]*{_POWER}|\"(kB|MB|GB)\", {_POWER}", re.IGNORECASE
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_sentence_counts_a_million_bytes_as_an_mb(program: str) -> None:
    files = (ROOT / program).rglob("*.py")
    found = [f"{path}: {match[0]}" for path in files for match in DECIMAL.finditer(path.read_text("utf-8"))]
    assert not found, found
