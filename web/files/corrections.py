"""Has corrections.csv of a project folder read and changed.

Changes to one folder wait for each other, and each begins by reading the file anew, so none is lost. A disk may hang,
so all of this runs in threads.
"""

from __future__ import annotations

import asyncio
import errno
import os

from conf.posted_folder import PostedFolderError
from protocol.corrections import CORRECTIONS_FILE, CorrectionsError, CorrectionsTable
from protocol.errors import is_disk_full
from web.answers.refusal import Refusal
from web.folders.data_roots import DataRoots
from web.folders.folders import Changes
from web.turns import Turns

#: The longest that a call waits for earlier changes of the same folder, and then for its own.
TIMEOUT_S = 10.0
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class CorrectionFiles:
    """The corrections of all projects."""

    def __init__(self, roots: DataRoots, timeout_s: float = TIMEOUT_S) -> None:
        self._roots = roots
        self._timeout_s = timeout_s
        self._turns = Turns()

    async def table(self, project_path: str) -> CorrectionsTable:
        """The rows of the file; an empty table if there is none. project_path: of a FoundFolder.

        Raises Refusal corrections_unusable, file_unreadable, storage_away, bad_fields.
        """
        folders = self._roots.of(project_path)
        try:
            return await folders.threads.run(folders.read_corrections, project_path)
        except (CorrectionsError, PostedFolderError, OSError) as error:
            raise _refusal(error) from error

    async def change(self, project_path: str, changes: Changes) -> CorrectionsTable:
        """The table after the changes, which are on the disk. Raises the same, and Refusal disk_nearly_full."""
        turn, folders = self._turns.of(project_path), self._roots.of(project_path)
        try:
            async with asyncio.timeout(self._timeout_s):
                await turn.acquire()
            started = folders.threads.start(folders.change_corrections, project_path, changes)
            writing = asyncio.wrap_future(started)
            # The thread may go on when the caller has given up. Until it ends, nobody else may begin.
            writing.add_done_callback(lambda done: _end_turn(turn, done))
            return await folders.threads.in_time(asyncio.shield(writing))
        except (CorrectionsError, PostedFolderError, OSError) as error:
            raise _refusal(error) from error


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
