"""A caller that reads a stream of server-sent events."""

from __future__ import annotations

import functools
import json
import select
import socket
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from tests.waiting import TIMEOUT_S

READ_BYTES = 64 * 1024


class Received(msgspec.Struct, frozen=True):
    """One event as it came. id: "" if it had none."""

    id: str
    type: str
    data: dict[str, Any]


class EventStream:
    """Use as a context manager. Reading fails after TIMEOUT_S without anything."""

    def __init__(self, port: int, path: str, method: str = "GET", version: str = "HTTP/1.1", **headers: str) -> None:
        """headers: with underscores in place of dashes. The answer is waited for when it is first looked at."""
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.socket.sendall("\r\n".join([f"{method} {path} {version}", "Host: 127.0.0.1", *lines, "", ""]).encode())
        #: The lines that belong to no event: comments, and how long to wait before coming back.
        self.other_lines: list[str] = []
        #: Whether the server has said that this is the end, and has not only closed the connection.
        self.was_ended_by_chunk = False
        self._raw, self._text = b"", b""
        self._has_ended = False
        self._is_chunked = False

    @functools.cached_property
    def head(self) -> list[str]:
        """The lines of the answer's head. Waits for them."""
        while b"\r\n\r\n" not in self._raw:
            self._raw += self._receive(TIMEOUT_S)
            assert not self._has_ended, "the connection was closed without an answer"
        head, _, self._raw = self._raw.partition(b"\r\n\r\n")
        self._is_chunked = b"\r\ntransfer-encoding: chunked" in head.lower()
        self._unpack()
        return head.decode().split("\r\n")

    @property
    def status(self) -> int:
        return int(self.head[0].split()[1])

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in self.head[1:])}

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def __iter__(self) -> Iterator[Received]:
        """All events until the stream ends."""
        while (event := self.read(TIMEOUT_S)) is not None:
            yield event
        assert self._has_ended, f"nothing came for {TIMEOUT_S:.0f} s"

    def read(self, within_s: float) -> Received | None:
        """The next event. None if the stream ends, or if none comes in time."""
        assert self.status == 200, self.head
        give_up_at_s = time.monotonic() + within_s
        while True:
            while b"\n\n" in self._text:
                block, _, self._text = self._text.partition(b"\n\n")
                fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if line[:1] not in (":", ""))
                if "event" in fields:
                    return Received(fields.get("id", ""), fields["event"], json.loads(fields["data"]))
                self.other_lines.append(block.decode())
            left_s = give_up_at_s - time.monotonic()
            if self._has_ended or left_s <= 0:
                return None
            self._raw += self._receive(left_s)
            self._unpack()

    def next(self, *types: str) -> Received:
        """The next event of one of these types; others before it are skipped. Any event if no type is given."""
        skipped = []
        for event in self:
            if not types or event.type in types:
                return event
            skipped.append(event)
        raise AssertionError(f"the stream ended without {types}; it had {skipped[-3:]}")

    def body(self) -> Any:
        """The JSON of an answer that is no stream."""
        length = int(self.headers["content-length"])
        while len(self._text) < length:
            self._raw += self._receive(TIMEOUT_S)
            self._unpack()
        return json.loads(self._text)

    def _receive(self, within_s: float) -> bytes:
        """What comes next; nothing if nothing comes in time."""
        if not select.select([self.socket], [], [], within_s)[0]:
            return b""
        try:
            received = self.socket.recv(READ_BYTES)
        except ConnectionError:
            received = b""
        self._has_ended = self._has_ended or not received
        return received

    def _unpack(self) -> None:
        """Take the chunks that are complete out of what was received."""
        if not self._is_chunked:
            self._text, self._raw = self._text + self._raw, b""
            return
        while b"\r\n" in self._raw:
            size, _, rest = self._raw.partition(b"\r\n")
            length = int(size, 16)
            if len(rest) < length + 2:
                return
            self._text, self._raw = self._text + rest[:length], rest[length + 2 :]
            if not length:
                self._has_ended = self.was_ended_by_chunk = True
