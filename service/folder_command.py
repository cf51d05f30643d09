"""`server.py check`: what a training would find in a folder, without a running service."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from protocol.data_report import DataReport, Severity
from protocol.text import printable
from trainer_worker.checking.folder import check_folder
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.training.registry import load_kind

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
#: Classes that the table shows.
_MOST_CLASSES = 40


def check(folder: Path, train_type: str, as_json: bool) -> int:
    """Print the report. Returns the exit code: 0 where the folder can be trained on, else 1."""
    if not folder.is_dir():
        sys.stderr.write(f"{printable(str(folder))} is not a folder. Name the folder that holds the pictures.\n")
        return 1
    with ProjectFolder.open(folder) as project:
        report = check_folder(load_kind(train_type), project, math.inf)
    if as_json:
        # All but ASCII is escaped, since names are a stranger's and the output may go to a terminal.
        sys.stdout.write(json.dumps(msgspec.to_builtins(report), indent=2) + "\n")
    else:
        _show(report, folder)
    return 0 if report.trainable else 1


def _show(report: DataReport, folder: Path) -> None:
    # Names in the folder are a stranger's, so no text of the report may be taken for markup or for an emoji.
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    if report.layout:
        place = printable(str(folder))
        console.print(f"{place}: {report.pictures} pictures, layout {report.layout}. {printable(report.rule)}")
    if report.counts:
        table = Table("class", "pictures")
        for label, number in list(report.counts.items())[:_MOST_CLASSES]:
            table.add_row(Text(printable(label)), str(number))
        console.print(table)
        if len(report.counts) > _MOST_CLASSES:
            console.print(f"and {len(report.counts) - _MOST_CLASSES} more classes")
    for part, number in report.split.items():
        console.print(f"{part}: {number} pictures")
    for found in report.findings:
        console.print(Text(f"{found.severity} ", _COLOURS[found.severity]), end="")
        console.print(f"{found.sentence} {found.cure}".strip())
        for name in found.files:
            console.print(f"    {name}")
        if found.count > len(found.files) > 0:
            console.print(f"    and {found.count - len(found.files)} more")
    console.print("A training can use this folder." if report.trainable else "A training would fail, see the errors.")
