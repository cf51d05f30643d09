"""What all HTTP calls share: services, tokens, JSON out, errors as JSON."""

from __future__ import annotations

import http
import logging
import re
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from tornado.web import HTTPError, RequestHandler, stream_request_body

from conf.settings import WebSettings
from conf.tokens import TOKEN_PREFIX
from protocol import messages as m
from protocol.errors import no_such_task
from web.broker_pulse import BrokerPulse
from web.broker_requests import BrokerAwayError, BrokerRequests
from web.door_rules import DoorRules
from web.folder_check import FolderChecks
from web.forecaster import Forecaster
from web.refusal import Refusal
from web.request_lines import shown
from web.task_cache import Entry, TaskCache
from web.token_gate import ANYBODY, Caller, TokenGate

log = logging.getLogger("web")

#: The codes for refusals that Tornado itself makes.
CODES_BY_STATUS = {404: "unknown_path", 405: "method_not_allowed"}
READING_METHODS = ("GET", "HEAD", "OPTIONS")
#: The query that nearly all calls have, and that needs no closer look.
ONLY_A_TASK_ID = re.compile("taskId=[0-9a-f]{32}")
#: What people call a token in a URL, where it does not belong.
TOKEN_FIELDS = frozenset(("token", "access_token", "api_key", "apikey", "api_token", "authorization", "bearer"))


class Services(msgspec.Struct, frozen=True):
    """What handlers work with."""

    settings: WebSettings
    allowed_roots: Sequence[Path]
    requests: BrokerRequests
    pulse: BrokerPulse
    cache: TaskCache
    forecaster: Forecaster
    checks: FolderChecks
    rules: DoorRules
    gate: TokenGate


# The body has come whole before a handler is made (see web/entrance.py); this keeps Tornado from reading it as a form.
@stream_request_body
class JsonHandler(RequestHandler):
    """A call; monitors set needs_token to False."""

    needs_token = True

    def initialize(self, services: Services) -> None:
        self.services = services
        self.caller: Caller = ANYBODY
        self.body = b""

    def set_default_headers(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.clear_header("Server")
        for name, value in self.settings["rules"].cors_headers(self.request.headers).items():
            self.set_header(name, value)

    def compute_etag(self) -> str | None:
        return None  # A hash of every answer that no poller sends back.

    def data_received(self, chunk: bytes) -> None:
        self.body += chunk

    def prepare(self) -> None:
        method = self.request.method
        reads = method in READING_METHODS
        if self.request.query and not (reads and ONLY_A_TASK_ID.fullmatch(self.request.query)):
            self._check_query()
        if self.needs_token and method != "OPTIONS":
            self.caller = self.services.gate.admit(self.request.headers.get("Authorization", ""))
            if self.caller.read_only and not reads:
                raise Refusal("read_only_token", "This token may only look (GET, HEAD); ask for one that may change.")

    def head(self, *path_args: str) -> Awaitable[None] | None:
        """As GET; Tornado leaves the body out."""
        answer: Awaitable[None] | None = self.get(*path_args)
        return answer

    def options(self, *_: str) -> None:
        self.set_header("Allow", _allowed_methods(type(self)))
        self.set_status(204)
        self.finish()

    def send_json(self, body: dict[str, Any], status: int = 200) -> None:
        self.set_status(status)
        self.finish(msgspec.json.encode(body))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, Refusal):
            for name, value in error.headers.items():
                self.set_header(name, value)
            self.send_json(error.body, status_code)
        else:
            self._send_tornados_error(status_code)

    def _send_tornados_error(self, status_code: int) -> None:
        """For what Tornado refuses by itself, and for exceptions that nobody foresaw."""
        reason = http.HTTPStatus(status_code).phrase
        code = CODES_BY_STATUS.get(status_code, "internal_error" if status_code >= 500 else "bad_fields")
        allowed = _allowed_methods(type(self))
        words = {
            400: "The request cannot be read; send UTF-8, percent-encoded.",
            404: f"There is nothing at {self.request.path[:200]}; the calls are described in the README.",
            405: f"{self.request.method} is not a call of {self.request.path[:200]}; it takes {allowed}.",
            500: "Something went wrong here; it has been logged. Try again, or tell the operator.",
        }
        if status_code == 405:
            self.set_header("Allow", allowed)
        self.send_json({"error": words.get(status_code, f"{reason}."), "code": code}, status_code)

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Only what is our fault, and without the request's own words; the answer's line names the rest."""
        if not isinstance(value, HTTPError):
            where = f"{self.request.method} {shown(self.request.uri or '')}"
            log.error("action=web.error call=%r", where, exc_info=value)

    def _check_query(self) -> None:
        fields = self.request.query_arguments
        for name, values in fields.items():
            if name.lower() in TOKEN_FIELDS or any(self._is_token(value) for value in values):
                raise Refusal(
                    "token_in_url",
                    "A token does not belong into a URL, which proxies and browsers keep; send it in the header "
                    "'Authorization: Bearer <token>'. If this one was real, revoke it and make another.",
                )
        if self.request.method not in READING_METHODS:
            raise Refusal(
                "bad_fields",
                f"Fields came in the URL ({', '.join(fields)[:200]}); send them in the body, and nothing after a '?'.",
                fields={name: f"{name} came in the URL; send it in the body." for name in fields},
            )

    def _is_token(self, value: bytes) -> bool:
        text = value.decode("utf-8", "replace").strip()
        return text.startswith(TOKEN_PREFIX) or self.services.gate.knows(text)

    # ---- the broker ----

    async def ask(self, make: Any) -> m.BrokerToWeb:
        """The broker's answer; a Refusal when it refuses or is away."""
        try:
            answer = await self.services.requests.request(make)
        except BrokerAwayError:
            raise Refusal(
                "broker_away", "The broker does not answer, so nothing can be accepted or looked up; try again shortly."
            ) from None
        if isinstance(answer, m.Refused):
            more: dict[str, Any] = {"state": answer.task.state.value} if answer.task else {}
            if answer.position:
                more["position"] = answer.position
            raise Refusal(answer.code, answer.error, **more)
        return answer

    async def ask_for_task(self, make: Any) -> Entry:
        """The task that the broker answers with. A cache that is full of live tasks does not keep an ended one."""
        answer = await self.ask(make)
        assert isinstance(answer, m.TaskReply)
        self.services.cache.put(answer.task, answer.seq)
        return self.services.cache.get(answer.task.task_id) or Entry(answer.seq, answer.task)

    async def find(self, task_id: str) -> Entry:
        """The task from the cache, or else from the broker; a Refusal if there is none for this caller."""
        entry = self.services.cache.get(task_id)
        if entry is None:
            entry = await self.ask_for_task(lambda request_id: m.Lookup(request_id, task_id))
        if not self.caller.sees(entry.task.spec.user_id):
            # Another user's task looks like none: in words, and in time, so the broker is asked as for none.
            await self.ask(lambda request_id: m.Lookup(request_id, task_id))
            raise Refusal("unknown_task", no_such_task(task_id))
        return entry


def _allowed_methods(handler_class: type[RequestHandler]) -> str:
    """For the header Allow, and for people."""
    own = [name for name in ("GET", "POST", "DELETE") if _implements(handler_class, name.lower())]
    return ", ".join([*own[:1], *(["HEAD"] if "GET" in own else []), *own[1:], "OPTIONS"])


def _implements(handler_class: type[RequestHandler], method: str) -> bool:
    return getattr(handler_class, method) is not getattr(RequestHandler, method)
