"""Accept connections, and close them if they are too many or too slow, or if no file descriptors are left.

Tornado's own accept handler is not used. If no descriptor is left, it fails in an endless loop and logs a stack trace
each time. It also keeps a silent connection for an hour.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import resource
import socket
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from conf.web_settings import WebSettings
from web.door.connection import Connection, Phase

log = logging.getLogger("web")

#: The most connections that are accepted in one turn of the event loop, so that requests get their turn.
ACCEPTS_IN_A_ROW = 16
BACKLOG = 512
#: How long no connection is accepted after descriptors or memory ran out.
NO_ROOM_PAUSE_S = 1.0
LONGEST_SWEEP_INTERVAL_S = 1.0
#: How long a front-end that is told to end still answers the calls under way. supervisord waits longer than this.
ANSWERS_TIMEOUT_S = 4.0
ANSWERS_CHECK_INTERVAL_S = 0.02
#: Descriptors for everything else: the sockets to the broker, the log, and files that are read.
RESERVED_DESCRIPTORS = 64
MAX_HEADER_BYTES = 32_768
#: The errors of a connection that was closed before it was accepted. The next one can be accepted at once.
GONE = (errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ECONNRESET, errno.EINTR)


def raise_descriptor_limit() -> int:
    """Raise the limit on open files as far as the system allows, and return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class Listener:
    """Create it inside a running event loop, then call `start`."""

    def __init__(self, server: HTTPServer, settings: WebSettings) -> None:
        """server: gets each connection. Raises OSError if the address cannot be used."""
        self._server = server
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        #: The open connections but for streams, which StreamSlots limits.
        self._connections: set[Connection] = set()
        self._streams: set[Connection] = set()
        self._count_by_address: Counter[str] = Counter()
        self._resume_timer: asyncio.TimerHandle | None = None
        self._max_buffer_bytes = 2 * MAX_HEADER_BYTES + settings.max_body_bytes
        self._max_connections = _possible_connections(settings)
        self._sockets: Sequence[socket.socket] = bind_sockets(settings.port, settings.host, backlog=BACKLOG)
        shortest_s = min(settings.idle_timeout_s, settings.transfer_timeout_s)
        self._sweep_interval_s = min(LONGEST_SWEEP_INTERVAL_S, shortest_s / 4)

    def start(self) -> None:
        self._listen()
        self._sweep_timer = self._loop.call_later(self._sweep_interval_s, self._sweep)

    def close(self) -> None:
        """Stop accepting connections. The open ones stay open."""
        self._sweep_timer.cancel()
        if self._resume_timer is not None:
            self._resume_timer.cancel()
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            listening.close()

    async def finish_answers(self) -> None:
        """Wait until the calls under way are answered, for ANSWERS_TIMEOUT_S at the most."""
        give_up_at_s = self._loop.time() + ANSWERS_TIMEOUT_S
        while self._is_answering() and self._loop.time() < give_up_at_s:  # noqa: ASYNC110 - an event would cost each call
            await asyncio.sleep(ANSWERS_CHECK_INTERVAL_S)

    def _is_answering(self) -> bool:
        return any(connection.phase is Phase.ANSWER for connection in self._connections)

    # ---- taking in ----

    def _listen(self) -> None:
        self._resume_timer = None
        for listening in self._sockets:
            self._loop.add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTS_IN_A_ROW):
            try:
                accepted, address = listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in GONE:
                    self._pause(error)
                    return
                continue
            self._take_in(accepted, address)

    def _pause(self, error: OSError) -> None:
        """No descriptor or no memory is left: close idle connections, and accept none for NO_ROOM_PAUSE_S."""
        log.warning(
            "action=web.no_room connections=%d reason='%s; no connection is accepted for %.0f s'",
            len(self._connections),
            error.strerror,
            NO_ROOM_PAUSE_S,
        )
        for listening in self._sockets:
            self._loop.remove_reader(listening)
        now_s = time.monotonic()
        for connection in [connection for connection in self._connections if connection.is_idle(now_s)]:
            connection.close()
        self._resume_timer = self._loop.call_later(NO_ROOM_PAUSE_S, self._listen)

    def _take_in(self, accepted: socket.socket, address: tuple[str, int]) -> None:
        caller = caller_of(address[0])
        connection = Connection(accepted, caller, self._max_buffer_bytes, self._closed, self._turned)
        self._count(connection)
        if self._count_by_address[caller] > self._settings.max_connections_per_address:
            self._close_idlest(other for other in self._connections if other.address == caller)
        elif len(self._connections) > self._max_connections:
            self._close_idlest(self._connections)
        if not connection.closed():
            self._server.handle_stream(connection, address)

    def _close_idlest(self, connections: Iterable[Connection]) -> None:
        now_s = time.monotonic()
        idlest = max(connections, key=lambda connection: connection.idleness(now_s), default=None)
        if idlest is not None:
            idlest.close()

    def _count(self, connection: Connection) -> None:
        self._connections.add(connection)
        self._count_by_address[connection.address] += 1

    def _uncount(self, connection: Connection) -> None:
        self._connections.remove(connection)
        self._count_by_address[connection.address] -= 1
        if not self._count_by_address[connection.address]:
            del self._count_by_address[connection.address]

    def _closed(self, connection: Connection) -> None:
        if connection in self._streams:
            self._streams.remove(connection)
        else:
            self._uncount(connection)

    def _turned(self, connection: Connection) -> None:
        """The connection has become a stream, or has ceased to be one."""
        if connection.closed():
            return  # Its end has been counted.
        if connection.phase is Phase.STREAM:
            self._uncount(connection)
            self._streams.add(connection)
        else:
            self._streams.remove(connection)
            self._count(connection)

    # ---- time-outs ----

    def _sweep(self) -> None:
        """Check all connections. One timer serves all: a timer for each request would take longer than reading it."""
        self._sweep_timer = self._loop.call_later(self._sweep_interval_s, self._sweep)
        now_s = time.monotonic()
        for connection in [*self._connections, *self._streams]:
            self._look_at_clock(connection, now_s)

    def _look_at_clock(self, connection: Connection, now_s: float) -> None:
        transfer_timeout_s = self._settings.transfer_timeout_s
        if not connection.writing():
            connection.writing_since_s = 0.0
        elif not connection.writing_since_s:
            connection.writing_since_s = now_s
        elif now_s - connection.writing_since_s > transfer_timeout_s:
            connection.close()  # The caller does not read its answer.
            return
        age_s = now_s - connection.since_s
        if connection.phase is Phase.REQUEST:
            if age_s > self._settings.idle_timeout_s:
                connection.close()
        elif connection.phase not in (Phase.ANSWER, Phase.STREAM) and age_s > transfer_timeout_s:
            if connection.give_up is not None:
                connection.give_up()
            else:
                connection.close()


def _possible_connections(settings: WebSettings) -> int:
    """How many connections may be open beside all streams."""
    descriptors = raise_descriptor_limit()
    possible = max(descriptors - RESERVED_DESCRIPTORS - settings.max_streams, 1)
    if possible < settings.max_connections:
        log.warning(
            "action=web.few_descriptors limit=%d connections=%d reason='the system allows fewer than [web] "
            "max_connections beside max_streams; raise the limit of open files'",
            descriptors,
            possible,
        )
    return min(settings.max_connections, possible)


def caller_of(address: str) -> str:
    """Return what counts as one caller: an IPv4 address, or an IPv6 /64 network, since a customer has all of it."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address
