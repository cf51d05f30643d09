"""What the calls share whose answer goes on for as long as something happens."""

from __future__ import annotations

from typing import Any

from tornado.http1connection import HTTP1Connection

from web.connection import Connection
from web.json_handler import JsonHandler
from web.refusal import Refusal


class StayingHandler(JsonHandler):
    """The base of these calls. Each takes a seat (web/live/seats.py) for its connection, and then sets stays_open."""

    @property
    def connection(self) -> Connection:
        http: Any = self.request.connection
        assert isinstance(http, HTTP1Connection)
        assert isinstance(http.stream, Connection)
        return http.stream

    def may_go_on(self) -> bool:
        """Whether the caller's token is still valid."""
        try:
            caller = self.services.gate.admit(self.request.headers.get("Authorization", ""))
        except Refusal:
            return False
        return caller == self.caller
