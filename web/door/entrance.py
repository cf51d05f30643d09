"""Every request passes the Entrance before a handler sees it. It applies the door rules and limits the body.

The Entrance collects the whole body before it calls a handler, and it answers refused requests itself.
"""

from __future__ import annotations

import http
import logging
import sys
from collections.abc import Awaitable, Callable

from tornado.concurrent import future_add_done_callback
from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.web import Application

from conf.log_request import REQUEST_ID, logged_request
from web.answers.refusal import Refusal, encode_problem
from web.door.body_limits import BodyLease, BodyLimit, BodyLimits
from web.door.connection import Connection, Phase
from web.door.door_rules import PREFLIGHT_HEADERS, DoorRules
from web.door.request_id import HEADER, request_id_of
from web.door.request_lines import log_refused
from web.figures.http_figures import PREFLIGHT, REFUSED_AT_ENTRANCE

log = logging.getLogger("web")

#: How much of a refused body is read and dropped. If the connection were closed at once, it would be reset before the
#: sender has read the answer (RFC 9112, section 9.6).
LINGER_BYTES = 1_000_000
#: For a first look at the length of a body.
NO_LIMIT = BodyLimit(sys.maxsize, "", "")


class Entrance(HTTPServerConnectionDelegate):
    """The delegate between Tornado's server and the application."""

    def __init__(
        self,
        application: Application,
        rules: DoorRules,
        limits: BodyLimits,
        answered: Callable[[str, str, int], None],
    ) -> None:
        """answered: called for each request that no handler answers, with REFUSED_AT_ENTRANCE or PREFLIGHT, its method
        and the status.
        """
        self.application = application
        self.rules = rules
        self.limits = limits
        self.answered = answered

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        assert isinstance(request_conn, HTTP1Connection)
        assert isinstance(request_conn.stream, Connection)
        request_conn.stream.give_up = None
        request_conn.stream.answered()
        request_conn.stream.enter(Phase.REQUEST)
        REQUEST_ID.set("")  # A connection's task serves one request after the other.
        return _Visit(self, server_conn, request_conn, request_conn.stream)


class _Visit(HTTPMessageDelegate):
    """One request, from its headers to the handler or to a refusal."""

    def __init__(
        self, entrance: Entrance, server_conn: object, request_conn: HTTP1Connection, connection: Connection
    ) -> None:
        self._entrance = entrance
        self._server_conn = server_conn
        self._http = request_conn
        self._connection = connection
        self._body = bytearray()
        self._lease: BodyLease | None = None
        self._inner: HTTPMessageDelegate | None = None
        self._refused = False
        self._dropped_bytes = 0
        self._linger_bytes = LINGER_BYTES

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        assert isinstance(start_line, RequestStartLine)
        self._start_line, self._headers = start_line, headers
        self._request_id = request_id_of(headers)
        REQUEST_ID.set(self._request_id)
        self._connection.enter(Phase.BODY)
        try:
            self._check(start_line, headers)
        except Refusal as refusal:
            self._refuse(refusal)
            if refusal.problem.code == "bad_request":
                self._end()  # The end of the body is not known, so it cannot be skipped.
        else:
            self._connection.give_up = self._too_slow
        return None

    def _check(self, start_line: RequestStartLine, headers: HTTPHeaders) -> None:
        rules, limits = self._entrance.rules, self._entrance.limits
        rules.check(headers, start_line.version)
        # A body whose end is unclear is refused first, because it can't be skipped.
        rules.check_length(headers, NO_LIMIT)
        self._limit = limits.of(start_line.method, start_line.path, headers)
        if self._limit.is_large:
            self._lease = limits.lease(self._limit)
            self._connection.let_go = self._lease.release
            self._linger_bytes = self._limit.most_bytes
        rules.check_length(headers, self._limit)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if self._refused:
            self._dropped_bytes += len(chunk)
            if self._dropped_bytes > self._linger_bytes:
                self._end()
        elif len(self._body) + len(chunk) > self._limit.most_bytes:
            self._refuse(self._limit.refusal(len(self._body) + len(chunk)))
        else:
            self._keep(chunk)
        return None

    def _keep(self, chunk: bytes) -> None:
        if self._lease is not None:
            try:
                self._lease.take(len(chunk))
            except Refusal as refusal:
                self._refuse(refusal)
                return
        self._body += chunk

    def finish(self) -> None:
        if self._refused:
            self._end()
            return
        self._connection.give_up = None
        self._connection.enter(Phase.ANSWER)
        if self._start_line.method == "OPTIONS" and self._entrance.rules.is_preflight(self._headers):
            self._answer_preflight()
            return
        inner = self._entrance.application.start_request(self._server_conn, self._http)
        try:
            # Both may return a future that slows the sender down. The body has already arrived, so ignore them.
            inner.headers_received(self._start_line, self._headers)
            if self._body:
                body, self._body = bytes(self._body), bytearray()
                inner.data_received(body)
        except HTTPInputError as error:
            self._refuse(Refusal("bad_request", f"The request cannot be read: {error}."))
            self._end()
            return
        self._inner = inner
        inner.finish()

    def on_connection_close(self) -> None:
        if self._inner is not None:
            self._inner.on_connection_close()

    def _too_slow(self) -> None:
        with logged_request(self._request_id):  # The listener's timer calls this, outside of the connection's task.
            self._refuse(
                Refusal(
                    "request_timeout",
                    "The body did not arrive within the time limit of this server ([web] transfer_timeout_s); send the "
                    "request again.",
                )
            )
        self._end()

    def _refuse(self, refusal: Refusal) -> None:
        self._refused = True
        self._body = bytearray()
        self._connection.answered()
        self._connection.give_up = None
        self._entrance.answered(REFUSED_AT_ENTRANCE, self._start_line.method, refusal.status_code)
        log_refused(refusal.status_code, self._start_line.method, self._start_line.path, self._http.context)
        if "Expect" in self._headers:
            del self._headers["Expect"]  # Otherwise Tornado would ask the caller to send the body.
        body, media_type = encode_problem(refusal.problem, refusal.status_code, self._headers)
        headers = HTTPHeaders(
            {
                "Content-Type": media_type,
                "Content-Length": str(len(body)),
                HEADER: self._request_id,
                **refusal.headers,
                **self._entrance.rules.cors_headers(self._headers),
                "Connection": "close",
            }
        )
        headers.add("Vary", "Accept")
        line = ResponseStartLine("HTTP/1.1", refusal.status_code, http.HTTPStatus(refusal.status_code).phrase)
        self._written = self._http.write_headers(line, headers, None if self._start_line.method == "HEAD" else body)

    def _end(self) -> None:
        """Close the connection after the refusal has been sent."""
        self._http.finish()
        future_add_done_callback(self._written, lambda _: self._http.close())

    def _answer_preflight(self) -> None:
        self._entrance.answered(PREFLIGHT, self._start_line.method, 204)
        cors_headers = self._entrance.rules.cors_headers(self._headers)
        headers = HTTPHeaders({**cors_headers, **PREFLIGHT_HEADERS, HEADER: self._request_id})
        self._http.write_headers(ResponseStartLine("HTTP/1.1", 204, "No Content"), headers)
        self._http.finish()
