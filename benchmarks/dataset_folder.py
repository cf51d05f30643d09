"""A folder of pictures that is named on the command line."""

from __future__ import annotations

from pathlib import Path


def dataset_folder(text: str) -> Path:
    """The folder's absolute path with links resolved: user_files.py follows no link that leads out of the folder."""
    return Path(text).resolve()
