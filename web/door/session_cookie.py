"""The cookie by which a browser stays signed in. Pure.

A browser sends no Authorization header with an event stream, a picture or a download. So a page exchanges its token for
a cookie, which the browser sends by itself and no script can read.

The value is `<name of the token>.<end, in seconds since the epoch>.<signature>`. The signature is an HMAC whose key is
the token's hash as it is stored. Nothing about a session is stored, so sessions survive a restart. When the token is
revoked the key is gone, and a new token of the same name has another key.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import NamedTuple

from tornado.httputil import HTTPHeaders

from conf.tokens import SESSION_COOKIE_PREFIX, Token

#: How long a browser stays signed in.
LIFETIME_S = 7 * 24 * 3600

_VALUE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,63})\.(?P<end>[0-9]{1,12})\.(?P<signature>[0-9a-f]{64})")


class Session(NamedTuple):
    """What a cookie claims. Only `is_of` tells whether the claim is true."""

    token_name: str
    expires_at_s: int
    signature: str

    def is_of(self, token: Token, now_s: float) -> bool:
        """Whether the session was signed with this token and has not ended."""
        genuine = hmac.compare_digest(self.signature, _signature(token, self.expires_at_s))
        return genuine and self.token_name == token.name and now_s < self.expires_at_s


def cookie_name(port: int) -> str:
    """Browsers keep cookies by host and not by port, so servers of one machine need different names."""
    return f"{SESSION_COOKIE_PREFIX}{port}"


def cookie_value(token: Token, expires_at_s: int) -> str:
    """The value of the cookie for a session of this token."""
    return f"{token.name}.{expires_at_s}.{_signature(token, expires_at_s)}"


def claimed_session(headers: HTTPHeaders, cookie: str) -> Session | None:
    """The session that a request claims to have; None if it does not have exactly one well-formed cookie of this name.

    Of two cookies, one may have been set by another program on this host, and nobody can tell which one.
    """
    pairs = (part.strip().partition("=") for part in ";".join(headers.get_list("Cookie")).split(";"))
    values = [value for name, _, value in pairs if name == cookie]
    found = _VALUE.fullmatch(values[0]) if len(values) == 1 else None
    return Session(found["name"], int(found["end"]), found["signature"]) if found else None


def _signature(token: Token, expires_at_s: int) -> str:
    signed = f"session.{token.name}.{expires_at_s}"
    return hmac.new(token.sha256.encode(), signed.encode(), hashlib.sha256).hexdigest()
