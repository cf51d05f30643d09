"""The table of export formats and the places that hold a part of it by rule: names, file names, runtimes, writers."""

from __future__ import annotations

import ast
from pathlib import Path

from protocol.options import EXPORT_FORMATS
from trainer_worker.exporting.formats import FORMATS, runtime_of
from trainer_worker.exporting.runtimes.__main__ import MODULES
from trainer_worker.project.model_files import FILES

EXPORTING = Path(__file__).resolve().parents[2] / "trainer_worker" / "exporting"


def test_callers_can_ask_for_exactly_the_formats_of_the_table() -> None:
    assert set(EXPORT_FORMATS) == set(FORMATS) == set(FILES)


def test_every_format_has_a_writer_of_its_own() -> None:
    functions = {
        node.name
        for node in ast.parse((EXPORTING / "writers.py").read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    writers = [row.writer for row in FORMATS.values()]
    assert set(writers) == {name for name in functions if name.startswith("write_")}
    assert len(set(writers)) == len(writers)


def test_every_file_is_run_by_the_runtime_of_its_row() -> None:
    for row in FORMATS.values():
        assert runtime_of(Path(row.file)) == row.runtime, row.name
    assert {row.runtime for row in FORMATS.values()} == set(MODULES)


def test_only_a_format_that_may_fail_is_kept_without_reproducing_the_model() -> None:
    assert all(row.may_fail for row in FORMATS.values() if row.max_difference is None)
