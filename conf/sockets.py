"""How front-ends and workers make the ZeroMQ sockets that they connect to the broker with."""

from __future__ import annotations

import zmq

from conf.curve import ClientKeys
from protocol.bounds import MAX_PAYLOAD_BYTES

#: ZeroMQ pings the other side this often, and takes the connection for dead after so long without an answer. A host
#: that vanishes without a word closes no connection. With these two, ZeroMQ notices and connects anew.
LIVENESS_PING_MS = 2_000
LIVENESS_TIMEOUT_MS = 8_000


def connecting_socket(
    context: zmq.Context[zmq.Socket[bytes]], kind: int, keys: ClientKeys | None, queued_messages: int, linger_ms: int
) -> zmq.Socket[bytes]:
    """A socket that is ready to `connect`.

    keys: None at a Unix socket. queued_messages: the most that wait in each direction. linger_ms: for how long messages
    that were sent just before the end may still go out.
    """
    socket = context.socket(kind)
    socket.linger = linger_ms
    socket.sndhwm = socket.rcvhwm = queued_messages
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_PAYLOAD_BYTES)
    socket.ipv6 = True  # IPv4 works as well.
    socket.setsockopt(zmq.HEARTBEAT_IVL, LIVENESS_PING_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, LIVENESS_TIMEOUT_MS)
    if kind == zmq.DEALER:
        # Requests are repeated until answered. While the broker is away, a queue of them would only grow stale.
        socket.setsockopt(zmq.IMMEDIATE, 1)
    if keys is not None:
        keys.protect(socket)
    return socket
