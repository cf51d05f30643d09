"""A folder of pictures that is named on the command line."""

from __future__ import annotations

from pathlib import Path


def dataset_folder(text: str) -> Path:
    """Absolute and without links in its path: user_files.py reads nothing through a link that leads elsewhere."""
    return Path(text).resolve()
