"""An HTTP proxy before a server on loopback that breaks requests as a test says."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Fault:
    """What happens to one request.

    status: is answered in place of the server, with retry_after_s as its header. cut_after_bytes: of the answer's body;
    then the connection breaks. bytes_a_second: how fast the answer comes. lost_answer: the server gets the request, and
    the connection breaks before its answer. hangs_until: nothing is answered before this is set, and then the
    connection breaks.
    """

    status: int = 0
    retry_after_s: int | None = None
    cut_after_bytes: int | None = None
    bytes_a_second: int = 0
    lost_answer: bool = False
    hangs_until: threading.Event | None = None


#: Gets the method and the path; None lets the request pass.
Plan = Callable[[str, str], Fault | None]


@dataclass
class FaultProxy:
    """plan: may be exchanged at any time. seen: method and path of each request. ranges: the headers of those that want
    a part. sent_bytes: bodies of answers."""

    endpoint: str
    plan: Plan = lambda method, path: None
    seen: list[tuple[str, str]] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    sent_bytes: int = 0

    @contextlib.contextmanager
    def always(self, fault: Fault) -> Iterator[None]:
        """Break all requests inside of the block. `seen` is empty at its beginning."""
        before, self.plan = self.plan, lambda method, path: fault
        self.seen.clear()
        try:
            yield
        finally:
            self.plan = before
            if fault.hangs_until is not None:
                fault.hangs_until.set()

    def first(self, count: int, fault: Fault, method: str = "GET", part: str = "") -> None:
        """Break the next `count` requests of a method whose path has this part, and let all others pass."""
        left, lock = [count], threading.Lock()

        def plan(asked: str, path: str) -> Fault | None:
            with lock:
                if asked == method and part in path and left[0] > 0:
                    left[0] -= 1
                    return fault
            return None

        self.plan = plan


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_any(self) -> None:
        proxy = self.server.proxy
        proxy.seen.append((self.command, self.path))
        if wanted := self.headers.get("Range"):
            proxy.ranges.append(wanted)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = proxy.plan(self.command, self.path) or Fault()
        if fault.hangs_until is not None:
            fault.hangs_until.wait()
            self._break()
            return
        if fault.status:
            self._refuse(fault)
            return
        host, port = self.server.behind
        upstream = http.client.HTTPConnection(host, port)
        with contextlib.closing(upstream):
            upstream.request(self.command, self.path, body, dict(self.headers.items()))
            answer = upstream.getresponse()
            content = answer.read()
            if fault.lost_answer:
                self._break()
                return
            self._pass_on(answer, content, fault)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - as the library calls them

    def _refuse(self, fault: Fault) -> None:
        self.send_response(fault.status)
        if fault.retry_after_s is not None:
            self.send_header("Retry-After", str(fault.retry_after_s))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _pass_on(self, answer: http.client.HTTPResponse, content: bytes, fault: Fault) -> None:
        self.send_response_only(answer.status)
        dropped = ("transfer-encoding", "connection", "content-length")
        for name, value in answer.getheaders():
            if name.lower() not in dropped:
                self.send_header(name, value)
        size_bytes = answer.headers.get("Content-Length") if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(size_bytes or 0))
        self.end_headers()
        if self.command == "HEAD":
            return
        kept = content[: fault.cut_after_bytes]
        step = max(1, fault.bytes_a_second // 20) if fault.bytes_a_second else max(1, len(kept))
        for at in range(0, len(kept), step):
            self.wfile.write(kept[at : at + step])
            self.server.proxy.sent_bytes += len(kept[at : at + step])
            if fault.bytes_a_second:
                self.server.closed.wait(0.05)
        if len(kept) < len(content):
            self._break()

    def _break(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: FaultProxy
    behind: tuple[str, int]
    closed: threading.Event

    def handle_error(self, *_: Any) -> None:
        """A client that breaks a connection is what the tests are about."""


@contextlib.contextmanager
def fault_proxy(behind: str) -> Iterator[FaultProxy]:
    """behind: the address of the server."""
    server = _Server(("127.0.0.1", 0), _Handler)
    address = urlsplit(behind)
    server.behind = (address.hostname or "", address.port or 80)
    server.closed = threading.Event()
    server.proxy = FaultProxy(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.proxy
    finally:
        server.closed.set()
        server.shutdown()
        server.server_close()
        thread.join()
