"""Reads the log of a task while the worker adds to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

from protocol.project_layout import KEPT, LOG, MOST_LOG_BYTES, TASKS
from protocol.task import TaskSpec
from web.answers.refusal import Refusal
from web.files.open_file import OpenFile, Place
from web.files.project_files import NoFileError, ProjectFiles

#: Followers at the same time. Each one keeps a file open for as long as the training takes.
MOST_FOLLOWERS = 100
#: How often a follower looks for new lines, and for the end of the task.
LOOK_EVERY_S = 0.5
#: The same for a log in object storage, where each look is a request.
LOOK_AT_COPIES_EVERY_S = 3.0


def log_place(task_id: str) -> Place:
    return Place((KEPT, TASKS, task_id), LOG, MOST_LOG_BYTES)


class LogFollowers:
    def __init__(self, files: ProjectFiles) -> None:
        self._files = files
        self._now = 0
        self._closing = asyncio.Event()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """One of the MOST_FOLLOWERS. Raises Refusal too_many_streams."""
        if self._now >= MOST_FOLLOWERS:
            raise Refusal(
                "too_many_streams",
                f"{MOST_FOLLOWERS} callers follow a log at the moment; ask without follow, and again later with the "
                "offset that you have reached.",
            )
        self._now += 1
        try:
            yield
        finally:
            self._now -= 1

    def close(self) -> None:
        """End all following."""
        self._closing.set()

    async def parts(
        self, spec: TaskSpec, offset: int, has_ended: Callable[[], Awaitable[bool]]
    ) -> AsyncGenerator[bytes, None]:
        """The log from `offset`, and what is added to it until has_ended says that no more will be.

        If the log was removed and begun anew, the new one is read from its beginning.
        """
        file: OpenFile | None = None
        is_copy = False
        try:
            while not self._closing.is_set():
                ended = await has_ended()  # first, so that all that was written before the end is read
                if file is None:
                    file = await self._open(spec)
                    if file is not None and file.is_copy and file.content.size_bytes < offset:
                        offset = 0
                if file is not None:
                    status = await self._files.run(os.fstat, file.file.fileno())
                    async for part in self._files.parts(file, offset, status.st_size):
                        offset += len(part)
                        yield part
                    is_copy = file.is_copy
                    if is_copy:
                        self._files.close(file)
                        file = None
                    elif not status.st_nlink:
                        self._files.close(file)
                        file, offset = None, 0
                        continue
                if ended:
                    return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), LOOK_AT_COPIES_EVERY_S if is_copy else LOOK_EVERY_S)
        finally:
            if file is not None:
                self._files.close(file)

    async def _open(self, spec: TaskSpec) -> OpenFile | None:
        """The log; None if there is none yet, or none at the moment."""
        try:
            return await self._files.open(spec, log_place(spec.task_id))
        except (NoFileError, Refusal):
            return None
