"""What a command prints: for people on a terminal, for people without one, or as JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from protocol.text import printable


@Parameter(name="*")
@dataclass(frozen=True)
class Screen:
    """Where a command prints, and its option --json.

    With --json, stdout has one JSON document, or one JSON object a line if the command says that it streams, and
    nothing else. All text is escaped, because names of files and users may hold control characters.
    """

    json: Annotated[bool, Parameter(help="print JSON for programs instead of text for people")] = False

    @property
    def is_rich(self) -> bool:
        """Whether tables may have lines and colours, and bars may move."""
        plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
        return sys.stdout.isatty() and not self.json and not plain

    @property
    def can_ask(self) -> bool:
        """Whether a person can be asked a question."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def say(self, text: str) -> None:
        """Print text for people to stdout. With --json it is left out."""
        if not self.json:
            print(_escaped(text), flush=True)  # noqa: T201 - a command for a person

    def complain(self, text: str) -> None:
        """Print to stderr, with --json too: a warning, or advice that is no part of the result."""
        print(_escaped(text), file=sys.stderr, flush=True)  # noqa: T201

    def fail(self, error: str, code: str = "", fields: Mapping[str, str] | None = None) -> None:
        """Print why the command has failed: a sentence to stderr, or with --json an object to stdout."""
        if self.json:
            self.line({"error": error, "code": code, **({"fields": dict(fields)} if fields else {})})
        else:
            self.complain(error)

    def document(self, document: Any) -> None:
        """Print the one JSON document of a command. Does nothing without --json."""
        if self.json:
            print(json.dumps(msgspec.to_builtins(document), indent=2), flush=True)  # noqa: T201

    def line(self, item: Any) -> None:
        """Print one JSON object of a stream. Does nothing without --json."""
        if self.json:
            print(json.dumps(msgspec.to_builtins(item)), flush=True)  # noqa: T201

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table: with lines on a terminal, else as columns of plain text."""
        if self.json:
            return
        escaped = [[printable(cell) for cell in row] for row in rows]
        if self.is_rich:
            self._rich_table(columns, escaped)
            return
        widths = [max(len(row[number]) for row in (columns, *escaped)) for number in range(len(columns))]
        for row in (columns, *escaped):
            self.say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Print names with their values, one a line. Long values are not broken, so that they can be copied."""
        width = max((len(name) for name, _ in facts), default=0) + 2
        for name, value in facts:
            self.say(f"  {name:<{width}}{value}")

    def _rich_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            table.add_column(Text(column), overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        Console(highlight=False, markup=False, emoji=False).print(table)


#: The screen of a command that was called without --json.
TEXT_SCREEN = Screen()


def _escaped(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))
