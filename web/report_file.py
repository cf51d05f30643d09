"""Opens and reads the report of a model, which lies in a stranger's folder, in threads of its own.

A disk may hang, so the event loop never waits for one. A few threads read for all callers, and a caller waits for them
for a bounded time only.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeVar

from conf.posted_folder import PostedFolderError, open_posted_folder
from protocol.project_layout import MODELS, MOST_REPORT_BYTES, REPORT
from protocol.task import Task, TaskSpec, TaskState
from web.refusal import Refusal

#: Threads that open and read. A disk that hangs occupies one of them for each call until it answers.
THREADS = 4
#: Reports that are open at the same time. Of each, one part is in memory.
MOST_AT_ONCE = 100
#: What is read at once. The next part is read when the caller has received this one.
PART_BYTES = 256 * 1024
#: The longest that a caller waits for a free thread and the disk: to open the report, and then for each part.
TIMEOUT_S = 10.0

#: Errors of the disk or of this process. All others mean that there is no file that may be served.
_PASSING_ERRORS = (errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM)

Result = TypeVar("Result")


class ReportFiles:
    """Reads reports for many callers at once."""

    def __init__(self, allowed_roots: Sequence[Path], timeout_s: float = TIMEOUT_S) -> None:
        """allowed_roots: the folders in which project folders may lie."""
        self._allowed_roots = allowed_roots
        self._timeout_s = timeout_s
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="reports")
        self._open_now = 0

    @contextlib.asynccontextmanager
    async def opened(self, task: Task) -> AsyncIterator[BinaryIO]:
        """The report of a task's model. Raises Refusal no_report or report_unreadable."""
        if task.state is not TaskState.DONE:
            raise Refusal("no_report", _not_done(task.state), state=task.state.value)
        if self._open_now >= MOST_AT_ONCE:
            raise _unreadable(f"{MOST_AT_ONCE} reports are being sent at the moment")
        self._open_now += 1
        try:
            file = await self._open(task.spec)
            try:
                yield file
            finally:
                self._pool.submit(file.close)  # it would wait for a thread that still reads
        finally:
            self._open_now -= 1

    async def parts(self, file: BinaryIO, size_bytes: int) -> AsyncIterator[bytes]:
        """The first size_bytes of the file. Raises OSError if it has become shorter, or if the disk hangs."""
        while size_bytes > 0:
            part = await self._in_time(self._pool.submit(file.read, min(size_bytes, PART_BYTES)))
            if not part:
                raise OSError(errno.EIO, "the report was cut short while it was being sent")
            size_bytes -= len(part)
            yield part

    async def _open(self, spec: TaskSpec) -> BinaryIO:
        opening = self._pool.submit(_open_report, spec, self._allowed_roots)
        try:
            return await self._in_time(opening)
        except PostedFolderError as error:
            raise Refusal(
                "no_report",
                f"The project folder is not where it was posted, so its report is not read; it is {REPORT} in the "
                f"folder {MODELS}/{spec.task_id} of the project.",
            ) from error
        except TimeoutError as error:
            opening.add_done_callback(_close_late)
            raise _unreadable("the disk of the project folder does not answer") from error
        except OSError as error:
            if error.errno in _PASSING_ERRORS:
                raise _unreadable(f"it can't be read ({os.strerror(error.errno)})") from error
            raise Refusal(
                "no_report",
                f"The model of task {spec.task_id} has no report: its {REPORT} is missing, may not be read, or is not "
                f"a regular file of at most {MOST_REPORT_BYTES // 1024**2} MB; post the folder again to get a new one.",
            ) from error

    async def _in_time(self, future: Future[Result]) -> Result:
        """The result. Raises TimeoutError, which is an OSError, if it takes too long."""
        return await asyncio.wait_for(asyncio.wrap_future(future), self._timeout_s)


def _open_report(spec: TaskSpec, allowed_roots: Sequence[Path]) -> BinaryIO:
    """Open the file, one folder after the other and never through a link. Runs in a thread."""
    with (
        open_posted_folder(spec, allowed_roots) as project,
        project.folder(MODELS) as models,
        models.folder(spec.task_id) as model,
    ):
        return model.open(REPORT, MOST_REPORT_BYTES)


def _close_late(opening: Future[BinaryIO]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _not_done(state: TaskState) -> str:
    if state in (TaskState.PENDING, TaskState.PROCESSING):
        return f"The task is {state.value}; its report exists as soon as it is done."
    return f"The task has ended as {state.value}, so there is no model and no report on it."


def _unreadable(reason: str) -> Refusal:
    return Refusal("report_unreadable", f"The report can't be sent now, because {reason}; try again in a moment.")
