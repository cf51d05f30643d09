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

    @property
    def headers(self) -> dict[str, str]:
        """The additional headers of the answer."""
        if self.status_code in (429, 503):
            return {"Retry-After": str(RETRY_AFTER_S)}
        return {"WWW-Authenticate": "Bearer"} if self.status_code == 401 else {}
