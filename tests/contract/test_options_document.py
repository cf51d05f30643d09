"""The tables of options and of weights files in docs/options.md are those that the code gives."""

from __future__ import annotations

from conf.settings import ROOT
from protocol.options import options_table
from trainer_worker.backbones.weights_files import WEIGHTS_FILES

DOCUMENT = ROOT / "docs" / "options.md"


def test_the_document_lists_every_option_as_the_code_has_it() -> None:
    segmentation = {row[0]: row for row in options_table("segmentation")}
    classification = options_table("classification")
    rows = [
        f"| `{name}` | {allowed} | {default} | {segmentation.pop(name, ('', '', '–'))[2]} | {meaning} |"
        for name, allowed, default, meaning in classification
    ]
    rows += [
        f"| `{name}` | {allowed} | – | {default} | {meaning} |"
        for name, allowed, default, meaning in segmentation.values()
    ]
    expected = "\n".join(rows)
    assert f"|---|---|---|---|---|\n{expected}\n\n" in DOCUMENT.read_text(), f"{DOCUMENT} should hold:\n{expected}"


def test_the_document_lists_every_weights_file() -> None:
    expected = "\n".join(f"| `{backbone}` | `{file}` |" for backbone, file in WEIGHTS_FILES.items())
    assert f"|---|---|\n{expected}\n\n" in DOCUMENT.read_text(), f"{DOCUMENT} should hold:\n{expected}"
