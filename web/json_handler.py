"""The base of all handlers: the checks before a call, its answer or refusal as JSON, and questions to the broker."""

from __future__ import annotations

import functools
import http
import logging
import re
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

import msgspec
from tornado.web import HTTPError, RequestHandler, stream_request_body

from conf.log_request import REQUEST_ID
from protocol import messages as m
from protocol.errors import no_such_task
from web.answers.refusal import Refusal, encode_problem
from web.api.problem import Problem, make_problem
from web.broker_link.broker_requests import BrokerAwayError
from web.broker_link.task_cache import Entry
from web.door.request_id import HEADER
from web.door.request_lines import shown
from web.door.token_gate import ANYBODY, Caller
from web.reading.json_body import read_json
from web.reading.query import NoQuery, read_query
from web.reading.submission import Origin
from web.route import Call
from web.services import Services

Kind = TypeVar("Kind", bound=msgspec.Struct)

log = logging.getLogger("web")

#: The codes for refusals by Tornado itself.
CODES_BY_STATUS = {404: "unknown_path", 405: "method_not_allowed"}
READING_METHODS = ("GET", "HEAD", "OPTIONS")
#: The query of nearly all calls. It needs no further check.
ONLY_A_TASK_ID = re.compile("taskId=[0-9a-f]{32}")


# The Entrance (web/door/entrance.py) has already collected the body. This decorator keeps Tornado from parsing it.
@stream_request_body
class JsonHandler(RequestHandler):
    """The base of all handlers. A call that works without a token sets needs_token to False."""

    needs_token = True
    #: Whether the caller wants to be told of something later, so that the time of the answer says nothing about us.
    stays_open = False

    def initialize(self, services: Services, route: str, calls: Mapping[str, Call]) -> None:
        """route: the template of the path, for monitoring. calls: the calls of this path, by method."""
        self.services = services
        self.route = route
        self.calls = calls
        self.caller: Caller = ANYBODY
        self.body = b""
        self.query: Any = None

    def set_default_headers(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.set_header(HEADER, self.origin.request_id)
        self.clear_header("Server")
        for name, value in self.settings["rules"].cors_headers(self.request.headers).items():
            self.set_header(name, value)

    def compute_etag(self) -> str | None:
        return None  # It would cost a hash for every answer, and callers never send it back.

    @functools.cached_property
    def origin(self) -> Origin:
        """The key of this call from its header, and its id, which the Entrance has set."""
        return Origin(self.request.headers.get("Idempotency-Key", ""), REQUEST_ID.get())

    def data_received(self, chunk: bytes) -> None:
        self.body += chunk

    def prepare(self) -> None:
        """Check the query and the token. Afterwards `query` has the type that the table names for this call."""
        method = self.request.method or ""
        call = self.calls.get("GET" if method == "HEAD" else method)
        if self.request.query and not (method in READING_METHODS and ONLY_A_TASK_ID.fullmatch(self.request.query)):
            self.services.gate.refuse_tokens_in_url(self.request.query_arguments)
        if self.needs_token and method != "OPTIONS":
            self.caller = self.services.gate.admit(self.request.headers)
            if self.caller.read_only and call is not None and call.writes:
                raise Refusal("read_only_token", "This token may only read; use one that may also write.")
        if call is None and self.calls and method != "OPTIONS":
            raise HTTPError(405)
        if self.request.query and method not in READING_METHODS:
            self._refuse_fields_in_url()
        if call is not None and not call.any_query and (call.query or self.request.query):
            self.query = read_query(call.query or NoQuery, self.request.query_arguments)

    def read_body(self, kind: type[Kind]) -> Kind:
        """The JSON of the body as its type. Raises Refusal that names what is wrong."""
        return read_json(kind, self.request.headers, self.body)

    def head(self, *path_args: str) -> Awaitable[None] | None:
        """The same as GET. Tornado omits the body."""
        answer: Awaitable[None] | None = self.get(*path_args)
        return answer

    def options(self, *_: str) -> None:
        self.set_header("Allow", _allowed_methods(type(self)))
        self.set_status(204)
        self.finish()

    def send(self, body: msgspec.Struct, status: int = 200) -> None:
        self.set_status(status)
        self.finish(msgspec.json.encode(body))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, Refusal):
            for name, value in error.headers.items():
                self.set_header(name, value)
            self._send_problem(error.problem, status_code)
        else:
            self._send_tornados_error(status_code)

    def _send_tornados_error(self, status_code: int) -> None:
        """Answer for a refusal by Tornado itself, or for an unexpected exception."""
        reason = http.HTTPStatus(status_code).phrase
        code = CODES_BY_STATUS.get(status_code, "internal_error" if status_code >= 500 else "bad_fields")
        allowed = _allowed_methods(type(self))
        words = {
            400: "The request cannot be read; send percent-encoded UTF-8.",
            404: f"There is nothing at {self.request.path[:200]}; /docs lists the calls.",
            405: f"{self.request.method} is not possible at {self.request.path[:200]}; use {allowed}.",
            500: "There was an error inside the server, which is in its log; try again, or tell the operator.",
        }
        if status_code == 405:
            self.set_header("Allow", allowed)
        self._send_problem(make_problem(code, words.get(status_code, f"{reason}.")), status_code)

    def _send_problem(self, problem: Problem, status: int) -> None:
        self.set_status(status)
        body, media_type = encode_problem(problem, status, self.request.headers)
        self.set_header("Content-Type", media_type)
        self.add_header("Vary", "Accept")
        self.finish(body)

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log only our own errors, and no text from the request. The line about the answer covers refusals."""
        if not isinstance(value, HTTPError):
            where = f"{self.request.method} {shown(self.request.uri or '')}"
            log.error("action=web.error call=%r", where, exc_info=value)

    def _refuse_fields_in_url(self) -> None:
        fields = self.request.query_arguments
        raise Refusal(
            "bad_fields",
            f"Fields came in the URL ({', '.join(fields)[:200]}); send them in the body, and a URL without '?'.",
            fields={name: f"{name} came in the URL; send it in the body." for name in fields},
        )

    # ---- the broker ----

    async def ask(self, make: Any) -> m.BrokerToWeb:
        """Return the broker's answer. Raises Refusal if the broker refuses or does not answer."""
        try:
            answer = await self.services.requests.request(make)
        except BrokerAwayError:
            raise Refusal(
                "broker_away", "The broker does not answer, so the call cannot be carried out; try again shortly."
            ) from None
        if isinstance(answer, m.Refused):
            raise _refusal_of(answer)
        return answer

    async def ask_for_task(self, make: Any) -> Entry:
        """Return the task from the broker's answer. The cache may not keep it: live tasks can fill the whole cache."""
        answer = await self.ask(make)
        assert isinstance(answer, m.TaskReply)
        self.services.cache.put(answer.task, answer.seq)
        return self.services.cache.get(answer.task.task_id) or Entry(answer.seq, answer.task)

    async def find(self, task_id: str) -> Entry:
        """Return the task from the cache or the broker. Raises Refusal if there is none that this caller may see."""
        entry = self.services.cache.get(task_id)
        if entry is None:
            entry = await self.ask_for_task(lambda request_id: m.Lookup(request_id, task_id))
        if not self.caller.sees(entry.task.spec.user_id):
            # Another user's task must look like an unknown one. Asking the broker makes the answer take as long, too.
            await self.ask(lambda request_id: m.Lookup(request_id, task_id))
            raise Refusal("unknown_task", no_such_task(task_id))
        return entry


def _refusal_of(answer: m.Refused) -> Refusal:
    state = answer.task.state.value if answer.task else ""
    refusal = Refusal(answer.code, answer.error, state=state, position=answer.position)
    if answer.quota:
        # After draft-ietf-httpapi-ratelimit-headers: the quota has no time window, since it is one of waiting tasks.
        refusal.headers |= {
            "RateLimit-Policy": f'"{answer.quota}";q={answer.quota_size}',
            "RateLimit": f'"{answer.quota}";r=0',
        }
    return refusal


def _allowed_methods(handler_class: type[RequestHandler]) -> str:
    """Return the methods of a handler, as in the header Allow."""
    own = [name for name in ("GET", "POST", "DELETE") if _implements(handler_class, name.lower())]
    return ", ".join([*own[:1], *(["HEAD"] if "GET" in own else []), *own[1:], "OPTIONS"])


def _implements(handler_class: type[RequestHandler], method: str) -> bool:
    return getattr(handler_class, method) is not getattr(RequestHandler, method)
