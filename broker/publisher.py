"""The broker's publishing socket, whose subscribers can neither speak to anybody nor fill its memory.

A front-end subscribes to everything, that is to the empty topic. ZeroMQ remembers any other topic as well, and byte by
byte, for as long as its subscriber is connected. A subscriber that makes up topics without end would make the broker
grow without end, so after a number of them the socket is made anew: that ends all connections and frees what they
held. Front-ends connect again by themselves and ask for a snapshot.
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
        """bind: gives a bound XPUB socket; called again when the socket has to be made anew."""
        self._bind = bind
        self._tally = tally
        self._made_up_topics = 0
        self.socket = bind()

    def send(self, message: m.Published) -> None:
        """To all subscribers; those that are too slow miss it, which the numbers of the facts will tell them."""
        frames = wire.encode(message)
        if len(frames[1]) > wire.MAX_PAYLOAD_BYTES:
            self._tally.add("broker.unsent", f"a {type(message).__name__} of {len(frames[1])} bytes")
            return
        self.socket.send_multipart(frames, NOBLOCK)

    def read_subscriptions(self, most: int) -> bool:
        """Read what subscribers have sent; True when the socket was made anew."""
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
