"""The exception that refuses a call. It carries the HTTP status and the JSON body."""

from __future__ import annotations

from typing import Any

from tornado.web import HTTPError

from protocol.errors import REFUSAL_CODES

#: The Retry-After of a refusal that may pass soon.
RETRY_AFTER_S = 2


class Refusal(HTTPError):  # noqa: N818 - it is an answer, not an error of ours
    """Raise this anywhere in a call to end it. code: one of REFUSAL_CODES, which gives the HTTP status.

    Tornado passes it to `JsonHandler.write_error`.
    """

    def __init__(self, code: str, error: str, **more: Any) -> None:
        super().__init__(REFUSAL_CODES[code], error)
        self.body = {"error": error, "code": code, **more}
        #: The additional headers of the answer.
        self.headers: dict[str, str] = {}
        if self.status_code in (429, 503):
            self.headers["Retry-After"] = str(RETRY_AFTER_S)
        if self.status_code == 401:
            self.headers["WWW-Authenticate"] = "Bearer"
