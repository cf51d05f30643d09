"""`/v1/session`: a page signs in, learns who is signed in, and signs out."""

from __future__ import annotations

from typing import Any

from tornado.httputil import HTTPHeaders

from protocol.events import iso
from web.answers.refusal import Refusal
from web.api.session import NewSession, SessionView
from web.door.session_cookie import LIFETIME_S, cookie_name
from web.door.token_gate import ANYBODY, Caller
from web.json_handler import JsonHandler


class SessionHandler(JsonHandler):
    """GET tells who the caller is. POST exchanges a token for a session's cookie, and DELETE removes the cookie."""

    needs_token = False

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    def get(self) -> None:
        self._answer(self.services.gate.caller_of(self.request.headers))

    def post(self) -> None:
        self._check_is_own()
        caller, cookie = self.services.gate.sign_in(self.read_body(NewSession).token)
        if cookie:
            self.set_cookie(self._cookie, cookie, max_age=LIFETIME_S, **self._attributes())
        self._answer(caller)

    def delete(self) -> None:
        self._check_is_own()
        self.clear_cookie(self._cookie, **self._attributes())
        self._answer(self.services.gate.caller_of(HTTPHeaders()))

    def _check_is_own(self) -> None:
        """Raise Refusal for a page of [web] allowed_origins. Such a page calls with a token, and needs no session."""
        if not self.services.rules.is_own(self.request.headers):
            raise Refusal(
                "cross_site",
                "A page of another origin cannot sign in or out here; let it send the token in the header "
                "'Authorization: Bearer <token>'.",
            )

    @property
    def _cookie(self) -> str:
        return cookie_name(self.services.settings.port)

    def _attributes(self) -> dict[str, Any]:
        # If a proxy has received the request by https, only the Origin that the browser sends shows that.
        is_secure = self.request.headers.get("Origin", "").startswith("https:")
        return {"path": "/", "httponly": True, "samesite": "Strict", "secure": is_secure}

    def _answer(self, caller: Caller | None) -> None:
        """caller: None for one who is not admitted."""
        known = caller or ANYBODY
        ends_at_s = known.session_ends_at_s
        self.send(
            SessionView(
                needed=self.services.gate.needs_tokens,
                signed_in=bool(known.token_name),
                token_name=known.token_name,
                user_id=known.user,
                read_only=known.read_only,
                may_write=caller is not None and not caller.read_only,
                expires_at=iso(ends_at_s) if ends_at_s else None,
            )
        )
