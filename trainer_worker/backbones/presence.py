"""Why a file or a folder of the operator's can't be used, in words that follow its path. "" means that it is there."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

NOT_THERE = "is not there"
NO_FOLDER = "is no folder"
NO_FILE = "is no regular file"


def why_no_folder(path: Path) -> str:
    return _why_not(path, stat.S_ISDIR, NO_FOLDER)


def why_no_file(path: Path) -> str:
    return _why_not(path, stat.S_ISREG, NO_FILE)


def _why_not(path: Path, is_wanted: Callable[[int], bool], otherwise: str) -> str:
    try:
        return "" if is_wanted(path.stat().st_mode) else otherwise
    except FileNotFoundError:
        return _why_not_found(path)
    except OSError as error:
        return f"can't be looked at ({error.strerror})"


def _why_not_found(path: Path) -> str:
    try:
        return f"is a link to {path.readlink()}, where nothing is"
    except OSError:  # no link, or one that has been removed or replaced a moment ago
        return NOT_THERE
