"""The base of calls whose work is given up when the caller goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tornado.web import Finish

from web.json_handler import JsonHandler

Result = TypeVar("Result")


class AbandonableHandler(JsonHandler):
    """For example, a browser that scrolls on drops its calls for the pictures that have left the screen."""

    _working: asyncio.Task[Any] | None = None
    _caller_is_gone = False

    async def while_caller_waits(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of the work. If the caller goes away, the work is cancelled, and Finish ends the call."""
        if self._caller_is_gone:  # It went while the call was on other work.
            work.close()
            raise Finish
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
