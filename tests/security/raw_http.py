"""A caller that sends bytes as they are, since no HTTP library would send what strangers send."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import msgspec

from tests.waiting import TIMEOUT_S

#: As a browser or a back-end on this machine sends it.
HOST = "Host: 127.0.0.1"
FORM = "Content-Type: application/x-www-form-urlencoded"


class RawAnswer(msgspec.Struct, frozen=True):
    """status: 0 when the connection ended without an answer; headers by their names in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value

    @property
    def code(self) -> str:
        return str(self.json()["code"])


class RawCaller:
    """One connection. Use as a context manager."""

    def __init__(self, port: int, timeout_s: float = TIMEOUT_S) -> None:
        """timeout_s: how long to wait for what the other end sends. The connection itself may take longer."""
        #: Before the other end can know of the connection: its clocks start later.
        self.began_s = time.monotonic()
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.socket.settimeout(timeout_s)
        self._received = b""

    def __enter__(self) -> RawCaller:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, *lines: str, body: bytes = b"") -> RawAnswer:
        """Send a request of these lines, and read its answer."""
        self.send(request(*lines, body=body))
        return self.read_answer(head_only=lines[0].startswith("HEAD"))

    def read_answer(self, head_only: bool = False) -> RawAnswer:
        """TimeoutError when none comes in time."""
        while b"\r\n\r\n" not in self._received:
            if not self._receive():
                return RawAnswer(0, {}, b"")
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = 0 if head_only else int(headers.get("content-length", "0"))
        while len(self._received) < length and self._receive():
            pass
        body, self._received = self._received[:length], self._received[length:]
        return RawAnswer(int(first.split(" ")[1]), headers, body)

    def is_closed(self) -> bool:
        """Whether the other end closes it within the time-out; whatever it sends before is passed over."""
        try:
            while self._receive():
                pass
        except TimeoutError:
            return False
        return True

    def _receive(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self._received += data
        return bool(data)


def request(*lines: str, body: bytes = b"") -> bytes:
    """A request's bytes; its Host is added unless there is one, and its Content-Length where it has a body."""
    all_lines = [lines[0], *([] if any(line.lower().startswith("host:") for line in lines) else [HOST]), *lines[1:]]
    if body and not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines):
        all_lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*all_lines, "", ""]).encode("latin1") + body


def ask(port: int, *lines: str, body: bytes = b"") -> RawAnswer:
    """One request on a connection of its own."""
    with RawCaller(port) as caller:
        return caller.ask(*lines, body=body)
