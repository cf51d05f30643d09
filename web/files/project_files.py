"""Opens and reads files of project folders, which are strangers', in threads of its own.

A disk may hang, so the event loop never waits for one. A few threads read for all callers, and a caller waits for them
for a bounded time only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

from conf.posted_folder import PostedFolderError
from protocol.task import TaskSpec
from web.answers.refusal import Refusal
from web.files.open_file import PART_BYTES, PASSING_ERRORS, OpenFile, Place, read_part
from web.folders.data_roots import DataRoots
from web.folders.folders import Lent
from web.folders.threads import Threads

#: Files that are being sent at the same time. Of each, one part is in memory.
MOST_AT_ONCE = 100

Result = TypeVar("Result")
Args = ParamSpec("Args")


class NoFileError(Exception):
    """There is no such file that may be sent. The message continues a sentence about it.

    has_moved: whether the whole project folder is not where it was posted.
    """

    def __init__(self, words: str, has_moved: bool = False) -> None:
        super().__init__(words)
        self.has_moved = has_moved


class ProjectFiles:
    """Reads files for many callers at once."""

    def __init__(self, roots: DataRoots, threads: Threads) -> None:
        """threads: that read. Where a file is opened and read, it lies on a disk of this machine."""
        self._roots = roots
        self._threads = threads
        self._open_now = 0

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """One of the MOST_AT_ONCE files that may be sent at the same time. Raises Refusal file_unreadable."""
        if self._open_now >= MOST_AT_ONCE:
            raise _unreadable(f"{MOST_AT_ONCE} files are being sent at the moment")
        self._open_now += 1
        try:
            yield
        finally:
            self._open_now -= 1

    @contextlib.asynccontextmanager
    async def opened(self, spec: TaskSpec, place: Place) -> AsyncIterator[OpenFile]:
        """A file of a task's project. Raises NoFileError, and Refusal where its disk or storage does not answer."""
        with self.turn():
            file = await self.open(spec, place)
            try:
                yield file
            finally:
                self.close(file)

    async def open(self, spec: TaskSpec, place: Place) -> OpenFile:
        """Like `opened`, for callers that keep a file open for long and limit themselves. They call `close` later."""
        with _explained(place):
            async with self._roots.of(spec.project_path).lent(spec, place) as lent:
                return await self._open(lent)

    async def size_of(self, spec: TaskSpec, place: Place) -> int:
        """The size of a file in bytes. Raises the same."""
        folders = self._roots.of(spec.project_path)
        with _explained(place):
            return await folders.threads.run(folders.size_of, spec, place)

    async def address_of(self, spec: TaskSpec, place: Place, size_bytes: int) -> str:
        """Where a caller gets the file; "" if we send it. See Folders.address_of. Raises the same."""
        folders = self._roots.of(spec.project_path)
        with _explained(place):
            return await folders.threads.run(folders.address_of, spec, place, size_bytes)

    @contextlib.asynccontextmanager
    async def lent(self, spec: TaskSpec, place: Place) -> AsyncIterator[Lent]:
        """A file that is opened again while it is lent. Raises the same."""
        async with contextlib.AsyncExitStack() as stack:
            with _explained(place):
                lent = await stack.enter_async_context(self._roots.of(spec.project_path).lent(spec, place))
            yield lent

    async def _open(self, lent: Lent) -> OpenFile:
        opening = self._threads.start(lent.open)
        try:
            return await self._threads.in_time(asyncio.wrap_future(opening))
        except TimeoutError:
            opening.add_done_callback(_close_late)
            raise

    def close(self, file: OpenFile) -> None:
        self._threads.start(file.file.close)  # it would wait for a thread that still reads

    async def parts(self, file: OpenFile, begin: int, end: int, is_fixed: bool = False) -> AsyncGenerator[bytes, None]:
        """The bytes of the file from `begin` to before `end`.

        is_fixed: the file must not change meanwhile. Raises OSError if it does, if it has become shorter, or if the
        disk hangs.
        """
        while begin < end:
            part = await self.run(read_part, file, begin, min(end - begin, PART_BYTES), is_fixed)
            begin += len(part)
            yield part

    async def each(self, parts: Generator[bytes, None, None]) -> AsyncGenerator[bytes, None]:
        """What a generator yields that reads from a disk itself. It is asked in a thread, and closed in the end."""
        try:
            while (part := await self.run(next, parts, None)) is not None:
                yield part
        finally:
            # This fails if the generator still waits for a disk. It then ends when nobody refers to it.
            self._threads.start(parts.close)

    async def run(self, work: Callable[Args, Result], *args: Args.args, **more: Args.kwargs) -> Result:
        """The result of work that waits for a disk. Raises TimeoutError, which is an OSError, if it takes too long."""
        return await self._threads.run(work, *args, **more)


@contextlib.contextmanager
def _explained(place: Place) -> Iterator[None]:
    """Turns errors of a file that is opened into NoFileError and Refusal file_unreadable."""
    try:
        yield
    except PostedFolderError as error:
        raise NoFileError("the project folder is not where it was posted, so it is not read", True) from error
    except TimeoutError as error:
        raise _unreadable("the disk of the project folder does not answer") from error
    except OSError as error:
        if error.errno in PASSING_ERRORS:
            raise _unreadable(f"it can't be read ({os.strerror(error.errno)})") from error
        largest = f"{place.most_bytes / 1024**2:.0f} MB"
        words = f"{place.name} is missing, may not be read, or is not a regular file of at most {largest}"
        raise NoFileError(words) from error


def _close_late(opening: Future[OpenFile]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().file.close()


def _unreadable(reason: str) -> Refusal:
    return Refusal("file_unreadable", f"The file can't be sent now, because {reason}; try again in a moment.")
