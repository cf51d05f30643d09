"""A small TCP server that answers HTTP requests with what a test has written down, and then cuts the connection."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from typing import NamedTuple

from tests.waiting import TIMEOUT_S

#: Keeps the connection open without sending a byte, until the server is closed.
SILENCE = None


class Seen(NamedTuple):
    """A request as it came. headers: names in small letters."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


#: What is sent for a request: bytes as they go over the line, or a function that makes them.
Answer = bytes | Callable[[Seen], bytes] | None


def answer(status: int, body: bytes, length: int | None = None, **headers: str) -> bytes:
    """An answer as it goes over the line. length: of Content-Length, if it is not to be that of the body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {
        "Content-Type": "application/json",
        **named,
        "Content-Length": str(len(body) if length is None else length),
        "Connection": "close",  # Otherwise a client may send its next request into the connection that is being closed.
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body


def json_answer(body: object, status: int = 200, **headers: str) -> bytes:
    return answer(status, json.dumps(body).encode(), None, **headers)


def stream(*blocks: str, ends: bool = False) -> bytes:
    """A stream of events in chunks. ends: with the last chunk; without it the connection breaks."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    head += b"Connection: close\r\n\r\n"
    chunks = b"".join(f"{len(block.encode()):x}\r\n{block}\r\n".encode() for block in blocks)
    return head + chunks + (b"0\r\n\r\n" if ends else b"")


class ScriptedHttp:
    """Use as a context manager. Every connection serves one request with the next answer and is closed then."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.seen: list[Seen] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._silent: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> ScriptedHttp:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # A thread that waits in accept() is not woken by close().
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(TIMEOUT_S)
        for connection in self._silent:
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            connection.settimeout(TIMEOUT_S)
            seen = _request(connection)
            if seen is None:
                connection.close()
                continue
            self.seen.append(seen)
            next_answer = self._answers.pop(0) if self._answers else answer(404, b"the script has ended")
            if next_answer is SILENCE:
                self._silent.append(connection)
                continue
            connection.sendall(next_answer(seen) if callable(next_answer) else next_answer)
            connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def _request(connection: socket.socket) -> Seen | None:
    """The request; None if the caller has gone away before it was whole."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += (piece := connection.recv(65536))
        if not piece:
            return None
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += (piece := connection.recv(65536))
        if not piece:
            return None
    method, path, _ = first.split(" ")
    return Seen(method, path, headers, body)
