"""Sends a request again where that is safe: nothing that a call asks for happens twice."""

from __future__ import annotations

import dataclasses
import math
import random
import uuid
from typing import TypeVar

import msgspec

from tfmodel_client.errors import UnreachableError, UnreadableAnswerError, error_of
from tfmodel_client.steps import Answer, ConnectionLostError, Pause, Plan, Request, send

R = TypeVar("R")

REQUEST_ID = "X-Request-Id"
KEY = "Idempotency-Key"

#: How often a call is tried at most.
TRIES = 5
#: The pause before the second try; it doubles from try to try.
FIRST_PAUSE_S = 0.25
#: The longest pause that the client makes by itself. A server that asks for a longer one is not asked again.
LONGEST_PAUSE_S = 30.0
#: The statuses of answers after which the call may be tried again.
PASSING_STATUSES = frozenset({429, 502, 503, 504})


def pause_s(failures: int, asked_s: float = 0.0, first_s: float | None = None) -> float:
    """The pause after that many failures in a row, at least 1. first_s: that after the first one.

    It is random between half of the value and the value, so that clients that failed together don't return together.
    asked_s: what the server asks for. The pause is that much longer, because it asks all clients for the same.
    """
    first_s = FIRST_PAUSE_S if first_s is None else first_s
    longest_s = min(LONGEST_PAUSE_S, first_s * float(2 ** min(failures - 1, 16)))
    return asked_s + longest_s * random.uniform(0.5, 1.0)


def retry_after_s(answer: Answer) -> float | None:
    """The pause that the server asks for; None if it names none. A date is not read: TFModel sends seconds."""
    try:
        seconds = float(answer.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def new_id() -> str:
    return uuid.uuid4().hex


def with_headers(request: Request, **headers: str) -> Request:
    """The request with more headers; `Last_Event_ID` becomes `Last-Event-ID`."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return dataclasses.replace(request, headers={**request.headers, **more})


def identified(request: Request) -> Request:
    """The request with an id, which all its tries share and which the server's log has."""
    return dataclasses.replace(request, headers={REQUEST_ID: new_id(), **request.headers})


def is_safe_to_repeat(request: Request) -> bool:
    """Whether a second arrival changes nothing: HTTP says so of GET and DELETE, and a key says so of a POST."""
    return request.method in ("GET", "DELETE") or KEY in request.headers


def exchange(request: Request, most_tries: int) -> Plan[Answer]:
    """Send a request until there is a successful answer, at most that many times. Raises TFModelError."""
    request = identified(request)
    request_id = request.headers[REQUEST_ID]
    tries = most_tries if is_safe_to_repeat(request) else 1
    for failures in range(1, tries + 1):
        try:
            answer = yield from send(request)
        except ConnectionLostError as error:
            if failures == tries:
                raise UnreachableError(str(error), request_id=request_id) from error
            yield Pause(pause_s(failures))
            continue
        if 200 <= answer.status < 300:
            return answer
        asked_s = retry_after_s(answer) or 0.0
        if answer.status not in PASSING_STATUSES or failures == tries or asked_s > LONGEST_PAUSE_S:
            raise error_of(answer, request_id)
        yield Pause(pause_s(failures, asked_s))
    raise AssertionError("the last try returns or raises")


def ask(request: Request, answer_type: type[R], most_tries: int | None = None) -> Plan[R]:
    """Send a request and read the JSON of its answer. most_tries: None for TRIES. Raises TFModelError."""
    answer = yield from exchange(request, TRIES if most_tries is None else most_tries)
    return decoded(answer, answer_type)


def decoded(answer: Answer, answer_type: type[R]) -> R:
    try:
        return msgspec.json.decode(answer.body, type=answer_type)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableAnswerError(
            f"The answer is not what this version of tfmodel-client expects ({error}); is the address that of a "
            "TFModel server, and is the client as new as the server?",
            status=answer.status,
            request_id=answer.headers.get("x-request-id", ""),
        ) from error
