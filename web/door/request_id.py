"""The id of a call. Its caller may choose it, and finds it in every log line of the call."""

from __future__ import annotations

import re
import secrets

from tornado.httputil import HTTPHeaders

HEADER = "X-Request-Id"
CHOSEN = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id_of(headers: HTTPHeaders) -> str:
    """The id that the caller chose; a new one if the header is missing, repeated or has other characters."""
    given = headers.get(HEADER, "")
    return given if CHOSEN.fullmatch(given) else secrets.token_hex(8)
