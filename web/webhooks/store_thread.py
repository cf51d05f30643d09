"""Calls the store in a thread of its own, so that the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from web.webhooks.store import Store

Given = ParamSpec("Given")
Result = TypeVar("Result")


class StoreThread:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._store: Store | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="webhooks")

    async def call(
        self, method: Callable[Concatenate[Store, Given], Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Call a method of the store, which is opened at the first call. Raises sqlite3.Error or OSError."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, method, args, kwargs)

    def _run(self, method: Callable[..., Result], args: tuple[object, ...], kwargs: dict[str, object]) -> Result:
        if self._store is None:
            self._store = Store(self._path)
        return method(self._store, *args, **kwargs)

    def close(self) -> None:
        self._thread.submit(self._close)
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
