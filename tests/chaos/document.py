"""docs/reliability.md, of which each command writes its own part."""

from __future__ import annotations

from collections.abc import Sequence

from tests.process.service_under_test import REPOSITORY

PAGE = REPOSITORY / "docs" / "reliability.md"


def write_part(name: str, text: str) -> None:
    """Replace a part of the page, or add it to its end."""
    page = PAGE.read_text("utf-8") if PAGE.exists() else ""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(with_part(page, name, text), "utf-8")


def with_part(page: str, name: str, text: str) -> str:
    begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->\n"
    part = f"{begin}\n{text.strip()}\n\n{end}"
    before, found, rest = page.partition(begin)
    if not found:
        return f"{page}\n{part}" if page else part
    return before + part + rest.partition(end)[2]


def table_row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return "\n".join([table_row(*headings), "|---" * len(headings) + "|", *(table_row(*row) for row in rows)])
