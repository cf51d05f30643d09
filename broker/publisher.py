"""The broker's publishing socket. Its subscribers can neither send messages to others nor fill its memory.

A front-end subscribes to everything, which is the empty topic. ZeroMQ stores every other topic as well, byte by byte,
while its subscriber is connected. A subscriber that makes up topics without end would make the broker grow without end.
So after a number of them the socket is made anew, which ends all connections and frees their memory. Front-ends connect
again by themselves and ask for a snapshot.
"""

from __future__ import annotations

from collections.abc import Callable

import zmq

from broker.tally import Tally
from protocol import messages as m
from protocol import wire

#: As a plain number: combining pyzmq's enum members costs as much as a small send.
NOBLOCK = int(zmq.NOBLOCK)
MAX_MADE_UP_TOPICS = 100
SUBSCRIBED_TO_ALL, UNSUBSCRIBED = b"\x01", b"\x00"


class Publisher:
    def __init__(self, bind: Callable[[], zmq.Socket[bytes]], tally: Tally) -> None:
        """bind: returns a bound XPUB socket. It is called again whenever the socket has to be made anew."""
        self._bind = bind
        self._tally = tally
        self._made_up_topics = 0
        self.socket = bind()

    def send(self, message: m.Published) -> None:
        """Send to all subscribers. Those that are too slow miss it, and notice by the facts' numbers."""
        frames = wire.encode(message)
        if len(frames[1]) > wire.MAX_PAYLOAD_BYTES:
            self._tally.add("broker.unsent", f"a {type(message).__name__} of {len(frames[1])} bytes")
            return
        self.socket.send_multipart(frames, NOBLOCK)

    def read_subscriptions(self, most: int) -> bool:
        """Read what subscribers have sent. Returns True if the socket was made anew."""
        for _ in range(most):
            try:
                frames = self.socket.recv_multipart(NOBLOCK)
            except zmq.Again:
                return False
            if frames == [SUBSCRIBED_TO_ALL] or frames[0].startswith(UNSUBSCRIBED):
                continue
            self._tally.add("broker.bad_subscription", f"{len(frames[0])} bytes that are no subscription to everything")
            self._made_up_topics += 1
            if self._made_up_topics >= MAX_MADE_UP_TOPICS:
                self._renew()
                return True
        return False

    def _renew(self) -> None:
        self._made_up_topics = 0
        self._tally.add("broker.publisher_renewed", f"{MAX_MADE_UP_TOPICS} made-up topics")
        self.socket.close(linger=0)
        self.socket = self._bind()
