"""GET /v1/train-types names the layouts that the worker recognises and that docs/layouts.md describes."""

from __future__ import annotations

import re

from conf.settings import ROOT
from protocol.layouts import ALL, LAYOUTS
from protocol.options import OPTIONS_BY_TRAIN_TYPE
from trainer_worker.layouts.table import LAYOUTS as RECOGNISED


def test_they_are_those_of_the_worker_in_its_order() -> None:
    assert [(each.name, each.train_type) for each in LAYOUTS] == [(row.name, row.train_type) for row in RECOGNISED]
    assert {each.train_type for each in LAYOUTS} == {*OPTIONS_BY_TRAIN_TYPE, ALL}


def test_they_are_those_of_the_document() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (\w+) \|", (ROOT / "docs" / "layouts.md").read_text(), re.MULTILINE)
    assert [(each.name, each.train_type) for each in LAYOUTS] == [
        pair for pair in listed if pair[1] in (*OPTIONS_BY_TRAIN_TYPE, ALL)
    ]


def test_each_has_one_plain_sentence() -> None:
    for layout in LAYOUTS:
        assert re.fullmatch(r"[A-Z][^`.]+(\.\w[^`.]*)*\.", layout.sentence), layout
        assert len(layout.sentence) <= 100
