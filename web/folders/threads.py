"""Threads that wait for a disk or a storage service, so that the event loop never does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

#: Threads that open and read. A disk that hangs occupies one of them for each call until it answers.
THREADS = 4
#: The longest that a caller waits for a free thread and the disk: to open a file, and then for each part.
TIMEOUT_S = 10.0

Result = TypeVar("Result")
Args = ParamSpec("Args")


class Threads:
    def __init__(
        self,
        name: str,
        count: int = THREADS,
        timeout_s: float = TIMEOUT_S,
        late: Callable[[], Exception] = TimeoutError,
    ) -> None:
        """late: makes what is raised when something takes too long."""
        self._timeout_s = timeout_s
        self._late = late
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    def start(self, work: Callable[Args, Result], *args: Args.args, **more: Args.kwargs) -> Future[Result]:
        """Begin work, for callers that must know when it ends, however long it takes."""
        return self._pool.submit(work, *args, **more)

    async def run(self, work: Callable[Args, Result], *args: Args.args, **more: Args.kwargs) -> Result:
        """The result of work. Raises `late` if it takes too long; by default that is TimeoutError, an OSError."""
        return await self.in_time(asyncio.wrap_future(self._pool.submit(work, *args, **more)))

    async def in_time(self, future: asyncio.Future[Result]) -> Result:
        """The result of work that was started. Raises the same. Work that no thread has begun is dropped then."""
        try:
            return await asyncio.wait_for(future, self._timeout_s)
        except TimeoutError as error:
            raise self._late() from error
