"""One open connection that is sent events as they happen."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable

from tornado.iostream import StreamClosedError

from web.door.connection import Connection
from web.live.reader import Reader

#: The system's send buffer for a caller that does not read. By default it would hold megabytes of outdated events.
SEND_BUFFER_BYTES = 32 * 1024
#: A line that is no event. It keeps proxies from closing a silent connection.
COMMENT = b": \n\n"


class Stream:
    __slots__ = (
        *("_connection", "_is_chunked", "_is_ended", "_tell", "_written", "awake", "is_following", "is_told"),
        *("may_go_on", "reader", "written_at_s"),
    )

    def __init__(
        self,
        connection: Connection,
        is_chunked: bool,
        reader: Reader,
        tell: Callable[[Stream], None],
        may_go_on: Callable[[], bool],
    ) -> None:
        """is_chunked: whether the answer has HTTP's chunked coding. tell: called when there may be something to read.

        may_go_on: whether the caller may still read. The headers of the answer must have been sent.
        """
        self._connection = connection
        self._is_chunked = is_chunked
        self._tell = tell
        self._written: asyncio.Future[None] | None = None
        self._is_ended = False
        self.may_go_on = may_go_on
        self.reader = reader
        self.written_at_s = time.monotonic()
        #: Whether it is in the queue of those that are served next.
        self.is_told = False
        #: Whether it reads the log. If not, its coroutine sends it what the log does not have.
        self.is_following = False
        #: Set when the coroutine of the stream must look at it.
        self.awake = asyncio.Event()
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    @property
    def is_over(self) -> bool:
        return self._is_ended or self._connection.closed()

    @property
    def is_blocked(self) -> bool:
        """Whether the caller has yet to read what was sent. Nothing more is sent until then."""
        return self._connection.writing()

    def tell(self) -> None:
        self._tell(self)

    def end(self) -> None:
        self._is_ended = True
        self.awake.set()

    def write(self, sse: bytes) -> None:
        if self._connection.closed():
            self.awake.set()
            return
        self.written_at_s = time.monotonic()
        written = self._connection.send(b"%x\r\n%b\r\n" % (len(sse), sse) if self._is_chunked else sse)
        if written is not None:
            self._written = written
            written.add_done_callback(self._has_written)

    async def drain(self) -> None:
        """Wait until the caller has read what was sent, or is gone."""
        if self._written is not None:
            with contextlib.suppress(StreamClosedError):
                await asyncio.shield(self._written)

    def _has_written(self, _: asyncio.Future[None]) -> None:
        self._written = None
        self._connection.writing_since_s = 0.0  # The caller does read, however slowly.
        self._tell(self)
