"""The base of calls whose work is given up when the caller goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tornado.web import Finish

from web.json_handler import JsonHandler

Result = TypeVar("Result")


class AbandonableHandler(JsonHandler):
    """A browser that scrolls on, for example, drops the calls for pictures that are out of sight."""

    _working: asyncio.Task[Any] | None = None
    _caller_is_gone = False

    async def while_caller_waits(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of the work. If the caller goes away, the work is cancelled and the call ends here."""
        self._working = task = asyncio.create_task(work)
        try:
            return await task
        except asyncio.CancelledError:
            if self._caller_is_gone:
                raise Finish from None
            raise

    def on_connection_close(self) -> None:
        self._caller_is_gone = True
        if self._working is not None:
            self._working.cancel()
