"""The exception that refuses a call. It carries the HTTP status, the body, and the headers of the answer."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from tornado.httputil import HTTPHeaders
from tornado.web import HTTPError

from protocol.errors import REFUSAL_CODES
from web.answers.accept import prefers
from web.api.problem import Problem, make_problem, with_details

#: The Retry-After of a refusal that may pass soon.
RETRY_AFTER_S = 2
JSON_TYPE, PROBLEM_TYPE = "application/json", "application/problem+json"


class Refusal(HTTPError):  # noqa: N818 - it is an answer, not an error of ours
    """Raise this anywhere in a call to end it. code: one of REFUSAL_CODES, which gives the HTTP status.

    fields, more: the further parameters of `make_problem`. Tornado passes the exception to `JsonHandler.write_error`.
    """

    def __init__(self, code: str, error: str, fields: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(REFUSAL_CODES[code], error)
        self.fields = dict(fields or {})
        self.problem = make_problem(code, error, fields, **more)
        #: The additional headers of the answer.
        self.headers: dict[str, str] = {}
        if self.status_code in (429, 503):
            self.headers["Retry-After"] = str(RETRY_AFTER_S)
        elif self.status_code == 401:
            self.headers["WWW-Authenticate"] = "Bearer"


def encode_problem(problem: Problem, status: int, request: HTTPHeaders) -> tuple[bytes, str]:
    """The body of a refusal and its media type. It depends on Accept, so the answer also needs `Vary: Accept`."""
    if prefers(request.get("Accept", ""), PROBLEM_TYPE, JSON_TYPE):
        return msgspec.json.encode(with_details(problem, HTTPStatus(status))), PROBLEM_TYPE
    return msgspec.json.encode(problem), JSON_TYPE
