"""The table of layouts in docs/layouts.md is the one that the code gives."""

from __future__ import annotations

from conf.settings import ROOT
from protocol.data_report import DataReport
from protocol.options import OPTIONS_BY_TRAIN_TYPE
from trainer_worker.layouts.table import LAYOUTS, markdown_table

DOCUMENT = ROOT / "docs" / "layouts.md"


def test_the_document_lists_every_layout_as_the_code_has_it() -> None:
    expected = markdown_table()
    assert f"\n\n{expected}\n\n" in DOCUMENT.read_text(), f"{DOCUMENT} should hold:\n{expected}"


def test_each_layout_has_a_name_of_its_own_that_a_report_can_carry() -> None:
    names = [row.name for row in LAYOUTS]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 40 and DataReport(layout=name) for name in names)
    assert {row.train_type for row in LAYOUTS} <= {*OPTIONS_BY_TRAIN_TYPE, "all"}
