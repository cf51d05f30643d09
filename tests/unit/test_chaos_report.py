"""The page that a chaos campaign writes: short lines, and one row for each fault that was injected."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from conf.settings import ROOT
from tests.chaos import report
from tests.chaos.campaign import Account, Campaign, Tally
from tests.chaos.faults import FAULTS, LEFT_OUT

KILL = next(fault for fault in FAULTS if fault.name == "trainer process: kill -9")


def page(tally: Tally, account: Account) -> str:
    campaign = cast(Campaign, SimpleNamespace(tallies={KILL.name: tally}))
    return report.write_report(campaign, account, "ok", minutes=2.4)


@pytest.fixture
def text(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(report, "LEFT_OUT", FAULTS)
    tally = Tally(injected=3, recovery_s=[0.5, 0.5, 4.0], repeated_s=[1.0], over_limit=1, tasks={"a", "b"})
    return page(tally, Account(2, {"a"}, set(), {"a", "b"}, 3, {}))


def test_a_row_has_the_figures_of_its_fault(text: str) -> None:
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {KILL.name} |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:5] == ["3", "1", "0", "2"]
    assert cells[5:] == [KILL.overcome, "0.50 s", "3.93 s", "3 s", "1", "1.00 s", "1.00 s"]
    assert len(cells) == len(report.HEADINGS)


def test_the_page_has_the_totals_and_names_what_was_left_out(text: str) -> None:
    assert "| faults | 3 in 2 minutes |" in text
    assert "| tasks lost | **1** |" in text
    assert FAULTS[-1].name in " ".join(text.split())


def test_only_table_rows_are_longer_than_a_line_of_a_document(text: str) -> None:
    assert [line for line in text.splitlines() if len(line) > report.LINE_CHARACTERS and not line.startswith("|")] == []


def test_the_page_in_the_documents_has_the_columns_and_faults_of_the_code() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text()
    assert "| " + " | ".join(report.HEADINGS) + " |" in text.splitlines()
    words = " ".join(text.split())
    assert [fault.name for fault in (*FAULTS, *LEFT_OUT) if fault.name not in words] == []
