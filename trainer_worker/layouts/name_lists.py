"""Names in a sentence: the first ones, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.text import printable
from trainer_worker.pictures.user_files import SkippedFile

MOST_NAMED = 10


def some_of(names: Sequence[str], separator: str = ", ", most: int = MOST_NAMED) -> str:
    """The first `most` names, and the number of the others: "a, b and 3 more". Safe to print."""
    more = len(names) - most
    join = " " if separator == ", " else separator
    return printable(separator.join(names[:most])) + (f"{join}and {more} more" if more > 0 else "")


def skipped_sentence(skipped: Sequence[SkippedFile]) -> str:
    """A sentence, after a blank, that names the first skipped files; "" if there are none."""
    return f" Skipped: {some_of([f'{skip.file}: {skip.reason}' for skip in skipped], '; ')}." if skipped else ""


def some_folders(folders: Sequence[str]) -> str:
    """The first folders, with a slash behind each, and the number of the rest."""
    return some_of([f"{folder}/" for folder in folders])
