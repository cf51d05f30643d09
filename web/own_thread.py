"""Gives an object a thread of its own, in which it is called, so that the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, Generic, ParamSpec, Protocol, TypeVar


class Closable(Protocol):
    def close(self) -> None: ...


Given = ParamSpec("Given")
Result = TypeVar("Result")
Kind = TypeVar("Kind", bound=Closable)


class OwnThread(Generic[Kind]):
    """Calls the object once at a time. Later calls wait for earlier ones."""

    def __init__(self, name: str, make: Callable[[], Kind]) -> None:
        """make: makes the object, at the first call and in the thread. If it raises, the next call tries again."""
        self._make = make
        self._object: Kind | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def call(
        self, method: Callable[Concatenate[Kind, Given], Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Call a method of the object. Raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, method, args, kwargs)

    def _run(self, method: Callable[..., Result], args: tuple[object, ...], kwargs: dict[str, object]) -> Result:
        if self._object is None:
            self._object = self._make()
        return method(self._object, *args, **kwargs)

    def close(self) -> None:
        self._thread.submit(self._close)
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        if self._object is not None:
            self._object.close()
