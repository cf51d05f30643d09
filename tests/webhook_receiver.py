"""A receiver of webhooks on loopback that does what a test tells it to, well or badly."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import msgspec

#: What becomes of a request: a status, or one of these. hang: no answer. drip: a byte of the head from time to time.
#: close: the connection is closed without an answer. lie: status 200 with a length that the body does not have.
Reaction = int | Literal["hang", "drip", "close", "lie"]
DRIP_INTERVAL_S = 0.05


class Received(msgspec.Struct, frozen=True):
    """One request. headers: by their names in small letters. reaction: what it was answered."""

    path: str
    headers: dict[str, str]
    body: bytes
    reaction: Reaction

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = msgspec.json.decode(self.body)
        return value

    @property
    def delivered(self) -> bool:
        return self.reaction in (200, 204, "lie")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that was killed has cut its connection, which is no error here."""


class Receiver:
    """Use as a context manager. react: called for each request, in any thread."""

    def __init__(self, react: Callable[[Received], Reaction] = lambda _: 204, headers: dict[str, str] | None = None):
        """headers: of every answer."""
        self.react = react
        self.headers = headers or {}
        self.received: list[Received] = []
        self.ended = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())

    def __enter__(self) -> Receiver:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def delivered(self) -> list[Received]:
        """What was answered with success, in the order of its arrival."""
        return [each for each in list(self.received) if each.delivered]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                body = self.rfile.read(length)
                if len(body) < length:
                    return  # The sender was killed in the middle of its request.
                headers = {name.lower(): value for name, value in self.headers.items()}
                reaction = receiver.react(Received(self.path, headers, body, 0))
                receiver.received.append(Received(self.path, headers, body, reaction))
                with contextlib.suppress(OSError):
                    self._answer(reaction)

            def _answer(self, reaction: Reaction) -> None:
                if isinstance(reaction, int):
                    self.send_response(reaction)
                    for name, value in {**receiver.headers, "Content-Length": "0"}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    return
                if reaction == "lie":
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfine")
                elif reaction == "hang":
                    receiver.ended.wait()
                elif reaction == "drip":
                    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000:
                        if receiver.ended.wait(DRIP_INTERVAL_S):
                            break
                        self.wfile.write(bytes([byte]))
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
