"""Reads and changes corrections.csv of a project folder, which is a stranger's.

The folder is reached by descriptors and through no link. Changes to one folder wait for each other, and each begins by
reading the file anew, so none is lost. A disk may hang, so all of this runs in the threads of ProjectFiles.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from conf.directory import Directory, UnexpectedEntryError
from conf.posted_folder import PostedFolderError, open_inside_roots
from protocol.corrections import (
    CORRECTIONS_FILE,
    MOST_CORRECTIONS_BYTES,
    Correction,
    CorrectionsError,
    CorrectionsTable,
)
from protocol.errors import is_disk_full
from web.answers.refusal import Refusal
from web.files.project_files import ProjectFiles
from web.turns import Turns

#: The longest that a call waits for earlier changes of the same folder, and then for its own.
TIMEOUT_S = 10.0
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)

Changes = Mapping[str, Correction | None]


class CorrectionFiles:
    """The corrections of all projects."""

    def __init__(self, files: ProjectFiles, timeout_s: float = TIMEOUT_S) -> None:
        self._files = files
        self._timeout_s = timeout_s
        self._turns = Turns()

    async def table(self, project_path: str) -> CorrectionsTable:
        """The rows of the file; an empty table if there is none. project_path: absolute, with links resolved.

        Raises Refusal corrections_unusable, file_unreadable, bad_fields.
        """
        try:
            return await self._files.run(read_table, project_path, self._files.allowed_roots)
        except (CorrectionsError, PostedFolderError, OSError) as error:
            raise _refusal(error) from error

    async def change(self, project_path: str, changes: Changes) -> CorrectionsTable:
        """The table after the changes, which are on the disk. Raises the same, and Refusal disk_nearly_full."""
        turn = self._turns.of(project_path)
        try:
            async with asyncio.timeout(self._timeout_s):
                await turn.acquire()
            started = self._files.start(change_table, project_path, self._files.allowed_roots, changes)
            writing = asyncio.wrap_future(started)
            # The thread may go on when the caller has given up. Until it ends, nobody else may begin.
            writing.add_done_callback(lambda done: _end_turn(turn, done))
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.shield(writing)
        except (CorrectionsError, PostedFolderError, OSError) as error:
            raise _refusal(error) from error


def read_table(project_path: str, allowed_roots: Sequence[Path]) -> CorrectionsTable:
    """Runs in a thread. Raises CorrectionsError, PostedFolderError, OSError."""
    with open_inside_roots(project_path, allowed_roots) as folder:
        return _read(folder)


def change_table(project_path: str, allowed_roots: Sequence[Path], changes: Changes) -> CorrectionsTable:
    """Runs in a thread. The file is replaced as a whole, and removed if no row is left. Raises as read_table does."""
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


def _end_turn(turn: asyncio.Lock, writing: asyncio.Future[CorrectionsTable]) -> None:
    turn.release()
    if not writing.cancelled():
        writing.exception()  # so that asyncio does not report it where the caller has gone


def _refusal(error: Exception) -> Refusal:
    if isinstance(error, CorrectionsError):
        return Refusal("corrections_unusable", f"{CORRECTIONS_FILE} of the project can't be used: {error}.")
    if isinstance(error, PostedFolderError):
        words = "projectDir has been moved or replaced a moment ago; send the call again with the folder's path."
        return Refusal("bad_fields", words, fields={"projectDir": words})
    if isinstance(error, TimeoutError):
        return Refusal("file_unreadable", "The disk of the project folder does not answer; try again in a moment.")
    if is_disk_full(error):
        return Refusal("disk_nearly_full", "The disk of the project folder is full; free some space and try again.")
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    if isinstance(error, OSError) and error.errno in _FORBIDDEN:
        words = f"the service may not read or write it ({reason}); give its user the right to do so"
        return Refusal("corrections_unusable", f"{CORRECTIONS_FILE} of the project can't be used: {words}.")
    return Refusal("file_unreadable", f"{CORRECTIONS_FILE} can't be read or written ({reason}); try again in a moment.")
