"""The base of calls that stay open: streams, long polls, and logs that are followed."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from tornado.http1connection import HTTP1Connection

from web.answers.refusal import Refusal
from web.calls.abandonable import AbandonableHandler
from web.door.connection import Connection

Result = TypeVar("Result")


class StayingHandler(AbandonableHandler):
    """The base of these calls. Each takes a slot for its connection (web/live/stream_slots.py) and sets stays_open."""

    async def while_connected(self, waiting: Coroutine[Any, Any, Result]) -> Result:
        """The result of the coroutine. If the caller goes away, it is cancelled, and Finish ends the call.

        Raises Refusal if the caller's token was revoked meanwhile.
        """
        try:
            return await self.while_caller_waits(waiting)
        finally:
            if not self._caller_is_gone:
                self._admit_again()

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
