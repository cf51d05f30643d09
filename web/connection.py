"""One caller's connection: what it is in the midst of, and since when."""

from __future__ import annotations

import enum
import socket
import time
from collections.abc import Callable

from tornado.iostream import IOStream

#: A connection that has only just come, or whose answer has only just gone out, is about to speak.
FRESH_S = 1.0


class Phase(enum.IntEnum):
    """What is awaited."""

    REQUEST = 0  #: The first byte of a request, from the caller.
    HEADERS = 1  #: The rest of the request's head, from the caller.
    BODY = 2  #: The rest of its body, from the caller.
    ANSWER = 3  #: From us.


class Connection(IOStream):
    """A Tornado stream that knows its phase.

    The clock of a phase starts once: bytes that drip in do not reset it.
    """

    def __init__(
        self, socket: socket.socket, address: str, max_buffer_bytes: int, closed: Callable[[Connection], None]
    ):
        """address: who counts as one caller. closed: called once, when the descriptor is free again."""
        super().__init__(socket, max_buffer_size=max_buffer_bytes)
        self.address = address
        self.phase = Phase.REQUEST
        self.since_s = time.monotonic()
        #: When the answer was first seen waiting for the caller to take it; 0.0 while none waits.
        self.writing_since_s = 0.0
        #: What is done instead of closing it when a body does not come in time.
        self.give_up: Callable[[], None] | None = None
        self._closed_call = closed

    def enter(self, phase: Phase) -> None:
        self.phase = phase
        self.since_s = time.monotonic()

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        count = super().read_from_fd(buf)
        if count and self.phase is Phase.REQUEST:
            self.enter(Phase.HEADERS)
        return count

    def close_fd(self) -> None:
        super().close_fd()
        self._closed_call(self)

    def is_idle(self, now_s: float) -> bool:
        """Whether it has said nothing for a while, and nothing is owed to it."""
        return self.phase is Phase.REQUEST and now_s - self.since_s >= FRESH_S

    def idleness(self, now_s: float) -> tuple[int, float]:
        """The greater, the sooner it is closed when there are too many: requests that are being answered come last."""
        age_s = now_s - self.since_s
        if self.phase is Phase.ANSWER:
            return 0, age_s
        return (2 if self.is_idle(now_s) else 1), age_s
