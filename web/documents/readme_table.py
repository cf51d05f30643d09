"""Writes README.md's table of calls from the table of routes: `python -m web.documents.readme_table`."""

from __future__ import annotations

import re
import sys

from conf.settings import ROOT
from web.routes import ROUTES

README = ROOT / "README.md"
#: README explains the two calls of the original API above the table, and files of pages are nothing to call.
LEFT_OUT = ("/", "/static/{version}/{file...}")
HEAD = "| more calls | |\n|---|---|\n"
LAST_ROW = "| `HEAD`, `OPTIONS` | HEAD answers like GET without the body; OPTIONS lists the methods of a path |\n"


def readme_table() -> str:
    """The rows of all calls in the order of the table of routes."""
    rows = [
        f"| `{method} {route.template.replace('...}', '}')}` | {call.summary} |\n"
        for route in ROUTES
        if route.template not in LEFT_OUT
        for method, call in route.calls.items()
    ]
    return "".join((HEAD, *rows, LAST_ROW))


def with_table(text: str) -> str:
    """The text with the table that it should have in place of the one that it has."""
    found = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")
    assert found.search(text), f"{README.name} has no table that begins with {HEAD!r}"
    return found.sub(lambda _: readme_table(), text, count=1)


if __name__ == "__main__":
    README.write_text(with_table(README.read_text("utf-8")), "utf-8")
    sys.stderr.write(f"{README} has the table of web/routes.py.\n")
