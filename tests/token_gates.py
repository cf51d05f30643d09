"""A gate of tokens as the front-end makes it, and headers as callers send them."""

from __future__ import annotations

from pathlib import Path

from tornado.httputil import HTTPHeaders

from web.door.door_rules import DoorRules
from web.door.session_cookie import cookie_name
from web.door.token_gate import TokenGate

ALLOWED_ORIGIN = "https://app.example.com"
COOKIE = cookie_name(2333)
HOST = "127.0.0.1:2333"


def make_gate(file: Path, needed: bool = False) -> TokenGate:
    """The gate of a server at HOST. Pages of ALLOWED_ORIGIN may call it."""
    return TokenGate(file, needed, COOKIE, DoorRules("127.0.0.1", (), (ALLOWED_ORIGIN,)).is_own)


def bearer(authorization: str) -> HTTPHeaders:
    return HTTPHeaders({"Authorization": authorization})
