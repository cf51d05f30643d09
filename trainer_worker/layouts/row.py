"""One row of the table of layouts: what a recogniser says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayoutRow:
    """name: as in DataReport.layout. recognised_by: what makes a folder this layout. becomes: what is made of it.

    The texts stand in docs/layouts.md, so they are Markdown.
    """

    name: str
    train_type: str
    recognised_by: str
    becomes: str
