"""A caller's connection: which phase of a request it is in, and since when."""

from __future__ import annotations

import asyncio
import enum
import socket
import time
from collections.abc import Callable

from tornado.iostream import IOStream

#: A new connection, or one whose answer has just been sent, does not count as idle before this time has passed.
FRESH_S = 1.0


class Phase(enum.IntEnum):
    """What the connection is waiting for."""

    REQUEST = 0  #: The caller's next request, of which no byte has arrived.
    HEADERS = 1  #: The rest of the headers.
    BODY = 2  #: The rest of the body.
    ANSWER = 3  #: Our answer.
    STREAM = 4  #: Things to happen, which it is then told about. There are limits of their own for such connections.


def _nothing() -> None:
    """Nothing is held for the request."""


class Connection(IOStream):
    """A Tornado stream that knows its phase.

    The clock of a phase starts once. A caller that sends single bytes does not reset it.
    """

    def __init__(
        self,
        socket: socket.socket,
        address: str,
        max_buffer_bytes: int,
        closed: Callable[[Connection], None],
        turned: Callable[[Connection], None] = lambda _: None,
    ):
        """address: the caller, as `caller_of` names it. closed: called once, after the descriptor has been closed.

        turned: called when the connection has entered or left the phase STREAM.
        """
        super().__init__(socket, max_buffer_size=max_buffer_bytes)
        self.address = address
        self.phase = Phase.REQUEST
        self.since_s = time.monotonic()
        #: Since when an answer has been waiting for the caller to read it; 0.0 while none waits.
        self.writing_since_s = 0.0
        #: Called if the body does not arrive in time. Without it, the connection is closed.
        self.give_up: Callable[[], None] | None = None
        #: Called when a request has been answered, and when the connection closes.
        self.let_go: Callable[[], None] = _nothing
        self._closed_call = closed
        self._turned_call = turned

    def enter(self, phase: Phase) -> None:
        turns = (phase is Phase.STREAM) is not (self.phase is Phase.STREAM)
        self.phase = phase
        self.since_s = time.monotonic()
        if turns:
            self._turned_call(self)

    def answered(self) -> None:
        """Whatever was held for the request before is not needed any more."""
        self.let_go()
        self.let_go = _nothing

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        count = super().read_from_fd(buf)
        if count and self.phase is Phase.REQUEST:
            self.enter(Phase.HEADERS)
        return count

    def send(self, data: bytes) -> asyncio.Future[None] | None:
        """Write, and return a future for what the system does not take at once. None if nothing is left to wait for.

        It takes half as long as `write`, which makes a future each time. With thousands of streams that counts. Raises
        StreamClosedError, as `write` does.
        """
        if not (self.writing() or self.closed()):
            try:
                sent = self.socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.close()
                return None
            if sent == len(data):
                return None
            data = data[sent:]
        return self.write(data)

    def close_fd(self) -> None:
        super().close_fd()
        self.answered()
        self._closed_call(self)

    def is_idle(self, now_s: float) -> bool:
        """Whether no request is in progress and the last one is a while ago."""
        return self.phase is Phase.REQUEST and now_s - self.since_s >= FRESH_S

    def idleness(self, now_s: float) -> tuple[int, float]:
        """The sort key for closing connections, the greatest first. Requests that are being answered come last."""
        age_s = now_s - self.since_s
        if self.phase is Phase.ANSWER:
            return 0, age_s
        return (2 if self.is_idle(now_s) else 1), age_s
