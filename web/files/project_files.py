"""Opens and reads files of project folders, which are strangers', in threads of its own.

A disk may hang, so the event loop never waits for one. A few threads read for all callers, and a caller waits for them
for a bounded time only.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, NamedTuple, ParamSpec, TypeVar

from conf.posted_folder import PostedFolderError, open_posted_folder
from protocol.task import TaskSpec
from web.answers.refusal import Refusal

#: Threads that open and read. A disk that hangs occupies one of them for each call until it answers.
THREADS = 4
#: Files that are being sent at the same time. Of each, one part is in memory.
MOST_AT_ONCE = 100
#: What is read at once. The next part is read when the caller has received this one.
PART_BYTES = 256 * 1024
#: The longest that a caller waits for a free thread and the disk: to open a file, and then for each part.
TIMEOUT_S = 10.0

#: Errors of the disk or of this process, which may pass. All others mean that there is no file that may be sent.
PASSING_ERRORS = (errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM)

Result = TypeVar("Result")
Args = ParamSpec("Args")


class Place(NamedTuple):
    """Where a file lies in a project folder: the folders on the way, and its name. A larger file is not opened."""

    folders: tuple[str, ...]
    name: str
    most_bytes: int


class Content(NamedTuple):
    """What tells one content of a file from another, without reading it. The system sets changed_ns at every change."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, file: BinaryIO) -> Content:
        status = os.fstat(file.fileno())
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class OpenFile(NamedTuple):
    """content: as it was when the file was opened."""

    file: BinaryIO
    content: Content


class NoFileError(Exception):
    """There is no such file that may be sent. The message continues a sentence about it.

    has_moved: whether the whole project folder is not where it was posted.
    """

    def __init__(self, words: str, has_moved: bool = False) -> None:
        super().__init__(words)
        self.has_moved = has_moved


class ProjectFiles:
    """Reads files for many callers at once."""

    def __init__(self, allowed_roots: Sequence[Path], timeout_s: float = TIMEOUT_S) -> None:
        """allowed_roots: the folders in which project folders may lie."""
        self.allowed_roots = allowed_roots
        self._timeout_s = timeout_s
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="files")
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
        """A file of a task's project. Raises NoFileError, or Refusal file_unreadable if the disk does not answer."""
        with self.turn():
            file = await self.open(spec, place)
            try:
                yield file
            finally:
                self.close(file)

    async def open(self, spec: TaskSpec, place: Place) -> OpenFile:
        """Like `opened`, for callers that keep a file open for long and limit themselves. They call `close` later."""
        opening = self._pool.submit(open_file, spec, self.allowed_roots, place)
        try:
            return await self._in_time(opening)
        except PostedFolderError as error:
            raise NoFileError("the project folder is not where it was posted, so it is not read", True) from error
        except TimeoutError as error:
            opening.add_done_callback(_close_late)
            raise _unreadable("the disk of the project folder does not answer") from error
        except OSError as error:
            if error.errno in PASSING_ERRORS:
                raise _unreadable(f"it can't be read ({os.strerror(error.errno)})") from error
            largest = f"{place.most_bytes / 1024**2:.0f} MB"
            words = f"{place.name} is missing, may not be read, or is not a regular file of at most {largest}"
            raise NoFileError(words) from error

    def close(self, file: OpenFile) -> None:
        self._pool.submit(file.file.close)  # it would wait for a thread that still reads

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
            self._pool.submit(parts.close)  # fails if it still waits for a disk; it then ends when nobody refers to it

    def start(self, work: Callable[Args, Result], *args: Args.args, **more: Args.kwargs) -> Future[Result]:
        """Begin work that waits for a disk, for callers that must know when it ends, however long it takes."""
        return self._pool.submit(work, *args, **more)

    async def run(self, work: Callable[Args, Result], *args: Args.args, **more: Args.kwargs) -> Result:
        """The result of work that waits for a disk. Raises TimeoutError, which is an OSError, if it takes too long."""
        return await self._in_time(self._pool.submit(work, *args, **more))

    async def _in_time(self, future: Future[Result]) -> Result:
        return await asyncio.wait_for(asyncio.wrap_future(future), self._timeout_s)


def open_file(spec: TaskSpec, allowed_roots: Sequence[Path], place: Place) -> OpenFile:
    """Open the file, one folder after the other and never through a link. Runs in a thread."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(open_posted_folder(spec, allowed_roots))
        for name in place.folders:
            folder = stack.enter_context(folder.folder(name))
        file = folder.open(place.name, place.most_bytes)
        return OpenFile(file, Content.of(file))


def read_part(file: OpenFile, begin: int, size_bytes: int, is_fixed: bool = False) -> bytes:
    """Bytes of the file. Runs in a thread. See ProjectFiles.parts."""
    file.file.seek(begin)
    part = file.file.read(size_bytes)
    if not part or (is_fixed and Content.of(file.file) != file.content):
        raise OSError(errno.EIO, "the file was changed while it was being sent")
    return part


def _close_late(opening: Future[OpenFile]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().file.close()


def _unreadable(reason: str) -> Refusal:
    return Refusal("file_unreadable", f"The file can't be sent now, because {reason}; try again in a moment.")
