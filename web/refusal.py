"""How a call is refused: one exception that carries the status and the JSON body."""

from __future__ import annotations

from typing import Any

from tornado.web import HTTPError

from protocol.errors import REFUSAL_CODES

#: What a refusal for the moment tells callers to wait.
RETRY_AFTER_S = 2


class Refusal(HTTPError):  # noqa: N818 - an answer, not a fault
    """Raised anywhere in a call to end it: `code` is one of REFUSAL_CODES and gives the status.

    Tornado hands it to `JsonHandler.write_error`.
    """

    def __init__(self, code: str, error: str, **more: Any) -> None:
        super().__init__(REFUSAL_CODES[code], error)
        self.body = {"error": error, "code": code, **more}

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says beside its body."""
        if self.status_code in (429, 503):
            return {"Retry-After": str(RETRY_AFTER_S)}
        return {"WWW-Authenticate": "Bearer"} if self.status_code == 401 else {}
