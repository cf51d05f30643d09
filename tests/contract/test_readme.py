"""README's tables of options and of weights files are those that the code gives."""

from __future__ import annotations

from pathlib import Path

from protocol.options import options_table
from trainer_worker.backbones.weights_files import WEIGHTS_FILES

README = Path(__file__).resolve().parents[2] / "README.md"


def test_readme_lists_every_option_as_the_code_has_it() -> None:
    segmentation = {row[0]: row for row in options_table("segmentation")}
    classification = options_table("classification")
    rows = [
        f"| `{name}` | {allowed} | {default} | {segmentation.pop(name)[2]} | {meaning} |"
        for name, allowed, default, meaning in classification
    ]
    rows += [
        f"| `{name}` | {allowed} | – | {default} | {meaning} |"
        for name, allowed, default, meaning in segmentation.values()
    ]
    expected = "\n".join(rows)
    assert expected in README.read_text(), f"README.md should hold this table:\n{expected}"


def test_readme_lists_every_weights_file() -> None:
    expected = "\n".join(f"| `{backbone}` | `{file}` |" for backbone, file in WEIGHTS_FILES.items())
    assert f"|---|---|\n{expected}\n\n" in README.read_text(), f"README.md should hold this table:\n{expected}"
