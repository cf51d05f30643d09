"""All layouts that are recognised, one row each. docs/layouts.md holds this table, and a test compares the two."""

from __future__ import annotations

from trainer_worker.layouts import archives, class_folders, class_lists, masks, other_exports
from trainer_worker.layouts.row import LayoutRow

LAYOUTS: tuple[LayoutRow, ...] = (
    *class_folders.ROWS,
    *class_lists.ROWS,
    *masks.ROWS,
    *archives.ROWS,
    *other_exports.ROWS,
)


def markdown_table() -> str:
    """The rows as a table for docs/layouts.md."""
    lines = [f"| `{row.name}` | {row.train_type} | {row.recognised_by} | {row.becomes} |" for row in LAYOUTS]
    return "\n".join(["| layout | trainType | recognised by | what becomes of it |", "|---|---|---|---|", *lines])
