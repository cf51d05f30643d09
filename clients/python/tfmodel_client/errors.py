"""What can go wrong in a call: one exception class for each kind of refusal, chosen by the code of the answer."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tfmodel_client.steps import Answer
from tfmodel_client.types import STATUS_BY_CODE

MAX_SHOWN_CHARS = 200


class TFModelError(Exception):
    """The base of all errors of this package.

    status: of the HTTP answer, 0 where there was none. code: a stable word for programs. error: a sentence for people.
    fields: a sentence for each bad field. request_id: names the call in the server's log.
    """

    def __init__(
        self,
        error: str,
        *,
        status: int = 0,
        code: str = "",
        fields: Mapping[str, str] | None = None,
        request_id: str = "",
    ) -> None:
        named = [part for part in (code, f"request {request_id}" if request_id else "") if part]
        super().__init__(f"{error} ({', '.join(named)})" if named else error)
        self.error = error
        self.status = status
        self.code = code
        self.fields = dict(fields or {})
        self.request_id = request_id


class BadRequestError(TFModelError):
    """The call is not valid: a field is missing or bad, or the body is too large. `fields` names each bad field."""


class NotAuthenticatedError(TFModelError):
    """The server needs a token, and the call has none that is valid."""


class NotAllowedError(TFModelError):
    """The caller may not do this, because of the token, the folder or the address of the call."""


class NotFoundError(TFModelError):
    """There is no such task, file or call."""


class ConflictError(TFModelError):
    """What is asked for doesn't fit the state of the task, or the Idempotency-Key was used for another call."""


class BusyError(TFModelError):
    """Too much is waiting. The call may be repeated later."""


class UnavailableError(TFModelError):
    """The server can't carry the call out now, although the call is valid. It may be repeated later."""


class ServerError(TFModelError):
    """An error inside the server, whose log has the request id."""


class UnreachableError(TFModelError):
    """No answer came: there is no connection, or the server is silent."""


class UnreadableAnswerError(TFModelError):
    """What came is not what this version of the client expects: another program, a proxy or a newer server."""


class DownloadError(TFModelError):
    """A file could not be downloaded whole: its bytes don't have the SHA-256 that the server names."""


class WaitTimeoutError(TFModelError, TimeoutError):
    """The task has not ended in the time that `wait` was given. It goes on."""


class _ErrorBody(msgspec.Struct):
    error: str
    code: str = ""
    fields: dict[str, str] = {}


_BY_STATUS: Mapping[int, type[TFModelError]] = {
    401: NotAuthenticatedError,
    403: NotAllowedError,
    404: NotFoundError,
    409: ConflictError,
    410: NotFoundError,
    429: BusyError,
    500: ServerError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


def _of_status(status: int) -> type[TFModelError]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return ServerError if status >= 500 else BadRequestError


#: The class of each code that the server's documents list.
by_code: Mapping[str, type[TFModelError]] = {code: _of_status(status) for code, status in STATUS_BY_CODE.items()}


def error_of(answer: Answer, sent_request_id: str) -> TFModelError:
    """The exception for an answer that is no success."""
    request_id = answer.headers.get("x-request-id", sent_request_id)
    if 300 <= answer.status < 400:
        return UnreadableAnswerError(
            f"The server sends the call on to {answer.headers.get('location', 'another address')[:MAX_SHOWN_CHARS]}; "
            "give the client that address.",
            status=answer.status,
            request_id=request_id,
        )
    try:
        body = msgspec.json.decode(answer.body, type=_ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError):
        shown = answer.body[:MAX_SHOWN_CHARS].decode("utf-8", "replace").strip()
        body = _ErrorBody(f"The answer has status {answer.status} and no error of TFModel's: {shown!r}.")
    kind = by_code.get(body.code) or _of_status(answer.status)
    return kind(body.error, status=answer.status, code=body.code, fields=body.fields, request_id=request_id)
