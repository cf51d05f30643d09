"""Create the ZeroMQ sockets with which front-ends and workers connect to the broker that leads.

A socket connects to all brokers, and ZeroMQ shares its messages among those that answer. Only the one that leads does:
the machine of another one refuses the connection, or is away. A broker that hangs keeps its connections until the
pings go unanswered, so up to LIVENESS_PING_MS + LIVENESS_TIMEOUT_MS some messages get lost in it. The protocol repeats
them.
"""

from __future__ import annotations

from collections.abc import Sequence

import zmq

from conf.curve import ClientKeys
from protocol.bounds import MAX_PAYLOAD_BYTES

#: How often ZeroMQ pings the other side, and how long it waits for an answer before it reconnects. Without pings it
#: would not notice that a host has vanished, because such a host closes no connection.
LIVENESS_PING_MS = 2_000
LIVENESS_TIMEOUT_MS = 8_000
#: How long one attempt to connect may take. A machine that is switched off does not answer, and by itself the system
#: would ask it again after ever longer pauses of up to a minute. Three seconds have room for one lost packet.
CONNECT_TIMEOUT_MS = 3_000
#: How long the other side may take to introduce itself. The system of a broker that hangs still takes connections.
HANDSHAKE_TIMEOUT_MS = 10_000
#: The longest pause between two attempts if there are several brokers. Brokers that stand by refuse each attempt, for
#: as long as they stand by, so thousands of workers must not try ten times a second, which is ZeroMQ's default. For
#: one broker that pause stays: its restart takes a second or two, and each pause would be added to that.
RECONNECT_PAUSE_MS = 1_000


def connecting_socket(
    context: zmq.Context[zmq.Socket[bytes]], kind: int, keys: ClientKeys | None, queued_messages: int, linger_ms: int
) -> zmq.Socket[bytes]:
    """Return a socket that is ready to be given to `connect_all`.

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
    socket.setsockopt(zmq.CONNECT_TIMEOUT, CONNECT_TIMEOUT_MS)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_TIMEOUT_MS)
    if kind == zmq.DEALER:
        # Queue nothing for a broker that is away: requests are repeated anyway, and a queued one would arrive late. Of
        # several brokers, those that stand by would otherwise get their share of all messages.
        socket.setsockopt(zmq.IMMEDIATE, 1)
    if keys is not None:
        keys.protect(socket)
    return socket


def connect_all(socket: zmq.Socket[bytes], endpoints: Sequence[str]) -> None:
    """Connect to the same socket of all brokers. endpoints: one for each broker."""
    if len(endpoints) > 1:
        socket.reconnect_ivl_max = RECONNECT_PAUSE_MS
    for endpoint in endpoints:
        socket.connect(endpoint)
