"""The base of calls that stay open: streams, long polls, and logs that are followed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tornado.http1connection import HTTP1Connection

from web.answers.refusal import Refusal
from web.door.connection import Connection
from web.json_handler import JsonHandler

Result = TypeVar("Result")


class StayingHandler(JsonHandler):
    """The base of these calls. Each takes a slot for its connection (web/live/stream_slots.py) and sets stays_open."""

    _waiting: asyncio.Task[Any] | None = None

    async def while_connected(self, waiting: Coroutine[Any, Any, Result]) -> Result | None:
        """Return the result of the coroutine, or None if the caller goes away before: it is cancelled then.

        Raises Refusal if the caller's token was revoked meanwhile.
        """
        self._waiting = task = asyncio.create_task(waiting)
        await asyncio.wait([task])
        if task.cancelled():
            return None
        self._admit_again()
        return task.result()

    def on_connection_close(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    @property
    def connection(self) -> Connection:
        http: Any = self.request.connection
        assert isinstance(http, HTTP1Connection)
        assert isinstance(http.stream, Connection)
        return http.stream

    def may_go_on(self) -> bool:
        """Whether the caller's token is still valid."""
        try:
            self._admit_again()
        except Refusal:
            return False
        return True

    def _admit_again(self) -> None:
        """Raise Refusal if the caller's token is not valid any more, or has other rights than before."""
        caller = self.services.gate.admit(self.request.headers)
        if caller != self.caller:
            raise Refusal("unauthorized", "The rights of this token were changed during the call; make the call again.")
