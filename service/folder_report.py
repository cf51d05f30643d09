"""Shows what was found in a folder: by `check` on this machine, or by the server before `train` posts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from rich.console import Console
from rich.table import Table
from rich.text import Text

from protocol.text import printable

COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}
#: Classes that the table shows.
MOST_CLASSES = 40


class FolderFinding(Protocol):
    """One thing that the owner of the folder should know."""

    @property
    def severity(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    @property
    def cure(self) -> str: ...
    @property
    def files(self) -> Sequence[str]: ...
    @property
    def count(self) -> int: ...


class FolderFindings(Protocol):
    """A DataReport, or the answer of POST /v1/check."""

    @property
    def layout(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def pictures(self) -> int: ...
    @property
    def counts(self) -> Mapping[str, int]: ...
    @property
    def split(self) -> Mapping[str, int]: ...
    @property
    def findings(self) -> Sequence[FolderFinding]: ...
    @property
    def trainable(self) -> bool: ...


def show_report(report: FolderFindings, folder: str) -> None:
    """Print the report. folder: its name, as the caller wrote it."""
    # Names in the folder are a stranger's, so no text of the report may be taken for markup or for an emoji.
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    if report.layout:
        place = printable(folder)
        console.print(f"{place}: {report.pictures} pictures, layout {report.layout}. {printable(report.rule)}")
    if report.counts:
        table = Table("class", "pictures")
        for label, number in list(report.counts.items())[:MOST_CLASSES]:
            table.add_row(Text(printable(label)), str(number))
        console.print(table)
        if len(report.counts) > MOST_CLASSES:
            console.print(f"and {len(report.counts) - MOST_CLASSES} more classes")
    for part, number in report.split.items():
        console.print(f"{part}: {number} pictures")
    for found in report.findings:
        console.print(Text(f"{found.severity} ", COLOURS.get(found.severity, "")), end="")
        console.print(printable(f"{found.sentence} {found.cure}".strip()))
        for name in found.files:
            console.print(f"    {printable(name)}")
        if found.count > len(found.files) > 0:
            console.print(f"    and {found.count - len(found.files)} more")
    console.print("A training can use this folder." if report.trainable else "A training would fail; see the errors.")
