"""An MB has 2^20 bytes wherever the program says it to a person."""

from __future__ import annotations

import re

import pytest

from conf.settings import ROOT

PROGRAMS = ("broker", "cluster", "conf", "protocol", "service", "storage", "trainer_worker", "web")
DECIMAL = re.compile(r"(1e3|1e6|1e9|10\*\*[369]|1_000_000)\b[^\n{}]*\} (kB|MB|GB)\b")


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_sentence_counts_a_million_bytes_as_an_mb(program: str) -> None:
    files = (ROOT / program).rglob("*.py")
    found = [f"{path}: {match[0]}" for path in files for match in DECIMAL.finditer(path.read_text("utf-8"))]
    assert not found, found
