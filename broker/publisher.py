"""The broker's publishing socket. Its subscribers cannot send messages to each other or fill the broker's memory.

A front-end subscribes once, to the empty topic, which means everything. ZeroMQ stores any other topic too, as long as
its subscriber is connected, and each subscription until the broker reads it. So a subscriber that makes up topics, or
subscribes again and again, could fill the memory. After MAX_MADE_UP_TOPICS or MAX_SUBSCRIPTIONS the socket is replaced.
That ends all connections and frees their memory. Front-ends reconnect by themselves and ask for a snapshot.
"""

from __future__ import annotations

from collections.abc import Callable

import zmq

from broker.tally import Tally
from protocol import messages as m
from protocol import wire

#: A plain number, because combining pyzmq's enum members takes as long as sending a small message.
NOBLOCK = int(zmq.NOBLOCK)
MAX_MADE_UP_TOPICS = 100
#: Far more than front-ends reconnect. If they do after a long time, a new socket costs them one more reconnection.
MAX_SUBSCRIPTIONS = 10_000
SUBSCRIBED_TO_ALL, UNSUBSCRIBED = b"\x01", b"\x00"


class Publisher:
    def __init__(self, bind: Callable[[], zmq.Socket[bytes]], tally: Tally) -> None:
        """bind: returns a bound XPUB socket. It is called again whenever the socket is replaced."""
        self._bind = bind
        self._tally = tally
        self._made_up_topics = self._subscriptions = 0
        self.socket = self._bound()

    def send(self, message: m.Published) -> None:
        """Send to all subscribers. One that is too slow misses the message, and notices the gap in the numbers."""
        frames = wire.encode(message)
        if len(frames[1]) > wire.MAX_PAYLOAD_BYTES:
            self._tally.add("broker.unsent", f"a {type(message).__name__} of {len(frames[1])} bytes")
            return
        self.socket.send_multipart(frames, NOBLOCK)

    def read_subscriptions(self, most: int) -> bool:
        """Read the subscriptions that have arrived, and replace the socket if there are too many.

        Returns True if somebody has subscribed to everything.
        """
        has_newcomer = False
        for _ in range(most):
            try:
                frames = self.socket.recv_multipart(NOBLOCK)
            except zmq.Again:
                break
            if frames == [SUBSCRIBED_TO_ALL]:
                has_newcomer = True
                self._subscriptions += 1
            elif not frames[0].startswith(UNSUBSCRIBED):
                what = f"{len(frames[0])} bytes that are no subscription to everything"
                self._tally.add("broker.bad_subscription", what)
                self._made_up_topics += 1
            if self._made_up_topics >= MAX_MADE_UP_TOPICS or self._subscriptions >= MAX_SUBSCRIPTIONS:
                self._renew()
                break
        return has_newcomer

    def _renew(self) -> None:
        what = f"{self._made_up_topics} made-up topics, {self._subscriptions} subscriptions to everything"
        self._tally.add("broker.publisher_renewed", what)
        self._made_up_topics = self._subscriptions = 0
        self.socket.close(linger=0)
        self.socket = self._bound()

    def _bound(self) -> zmq.Socket[bytes]:
        socket = self._bind()
        # Without this, ZeroMQ tells of the first subscriber only.
        socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        return socket
