"""Reads and changes corrections.csv in a folder of this machine, which is a stranger's. Runs in a thread.

The folder is reached by descriptors and through no link.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Sequence
from pathlib import Path

from conf.directory import Directory, UnexpectedEntryError
from conf.posted_folder import open_inside_roots
from protocol.corrections import CORRECTIONS_FILE, MOST_CORRECTIONS_BYTES, CorrectionsError, CorrectionsTable
from web.folders.folders import Changes


def read_table(project_path: str, allowed_roots: Sequence[Path]) -> CorrectionsTable:
    """The rows of the file; an empty table if there is none. Raises CorrectionsError, PostedFolderError, OSError."""
    with open_inside_roots(project_path, allowed_roots) as folder:
        return _read(folder)


def change_table(project_path: str, allowed_roots: Sequence[Path], changes: Changes) -> CorrectionsTable:
    """The file is replaced as a whole, and removed if no row is left. Raises as read_table does."""
    with open_inside_roots(project_path, allowed_roots) as folder:
        before = _read(folder)
        table = before.changed(changes)
        content = table.encoded()
        if content:
            folder.write_whole(CORRECTIONS_FILE, [content], synced=True)
        elif before.header or before.rows:
            folder.remove(CORRECTIONS_FILE)
            folder.sync()
        return table


def _read(folder: Directory) -> CorrectionsTable:
    try:
        return CorrectionsTable.read(folder.read(CORRECTIONS_FILE, MOST_CORRECTIONS_BYTES))
    except FileNotFoundError:
        return CorrectionsTable()
    except UnexpectedEntryError as error:
        mode = folder.status(CORRECTIONS_FILE).st_mode
        if stat.S_ISREG(mode):
            raise CorrectionsError(f"it is larger than {MOST_CORRECTIONS_BYTES // 1024**2} MB") from error
        what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise CorrectionsError(f"it is {what}; put a file in its place, or remove it") from error
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise CorrectionsError("it is a link, which is not followed; put the file itself in its place") from error
