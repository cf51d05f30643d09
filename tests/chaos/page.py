"""docs/reliability.md, of which each command writes a part of its own."""

from __future__ import annotations

import datetime
import re
import textwrap

from benchmarks.machine import describe_machine
from tests.process.service_under_test import REPOSITORY

PAGE = REPOSITORY / "docs" / "reliability.md"
LINE_CHARACTERS = 120


def write_part(heading: str, text: str) -> None:
    """Replace what stands below a heading of the second level, up to the next one. A new heading comes last.

    text: begins with the heading's own line.
    """
    page = PAGE.read_text()
    part = text.rstrip() + "\n"
    pattern = re.compile(rf"^## {re.escape(heading)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if pattern.search(page):
        after = pattern.search(page)
        assert after is not None
        is_last = after.end() == len(page)
        page = page[: after.start()] + part + ("" if is_last else "\n") + page[after.end() :]
    else:
        page = page.rstrip() + "\n\n" + part
    PAGE.write_text(page)


def table_row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def wrapped(text: str) -> str:
    return textwrap.fill(text, LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False)


def run_on() -> dict[str, str]:
    """The rows of a table of totals that say when and where a command ran."""
    return {"date": datetime.date.today().isoformat(), "machine": describe_machine()}
