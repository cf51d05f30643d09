"""Create the ZeroMQ sockets with which front-ends and workers connect to the broker."""

from __future__ import annotations

import zmq

from conf.curve import ClientKeys
from protocol.bounds import MAX_PAYLOAD_BYTES

#: How often ZeroMQ pings the other side, and how long it waits for an answer before it reconnects. Without pings it
#: would not notice that a host has vanished, because such a host closes no connection.
LIVENESS_PING_MS = 2_000
LIVENESS_TIMEOUT_MS = 8_000


def connecting_socket(
    context: zmq.Context[zmq.Socket[bytes]], kind: int, keys: ClientKeys | None, queued_messages: int, linger_ms: int
) -> zmq.Socket[bytes]:
    """Return a socket that is ready to `connect`.

    keys: None for Unix sockets. queued_messages: the most messages that may wait in each direction. linger_ms: for how
    long after `close` messages that still wait may be sent.
    """
    socket = context.socket(kind)
    socket.linger = linger_ms
    socket.sndhwm = socket.rcvhwm = queued_messages
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_PAYLOAD_BYTES)
    socket.ipv6 = True  # This allows both IPv6 and IPv4.
    socket.setsockopt(zmq.HEARTBEAT_IVL, LIVENESS_PING_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, LIVENESS_TIMEOUT_MS)
    if kind == zmq.DEALER:
        # Queue nothing while the broker is away: requests are repeated anyway, and a queued one would arrive late.
        socket.setsockopt(zmq.IMMEDIATE, 1)
    if keys is not None:
        keys.protect(socket)
    return socket
