"""Receive what the broker publishes, and pass it on to all listeners in this process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

import zmq

from conf.curve import ClientKeys
from conf.sockets import connect_all, connecting_socket
from protocol import messages as m
from protocol import wire
from web.broker_link.message_reader import QUEUED_MESSAGES, MessageReader

log = logging.getLogger("web")

#: For how long after a tick those of earlier terms do not count. A broker that leads sends a tick every second.
TERM_HOLDS_S = 3.5

Listener = Callable[[m.Published], None]


class Publications:
    """Create it inside a running event loop, then call `start`."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoints: Sequence[str],
        keys: ClientKeys | None,
        listeners: Sequence[Listener],
    ) -> None:
        """endpoints: the publishing sockets of all brokers. listeners: called with each publication, in this order."""
        self._listeners = listeners
        #: How many messages of the broker could not be read.
        self.bad_messages = 0
        self._term = 0
        self._term_heard_at_s = 0.0
        subscriber = connecting_socket(context, zmq.SUB, keys, QUEUED_MESSAGES, linger_ms=0)
        subscriber.subscribe(b"")
        connect_all(subscriber, endpoints)
        self._subscriber = MessageReader(asyncio.get_running_loop(), subscriber, self._published)

    def start(self) -> None:
        self._subscriber.start()

    def close(self) -> None:
        self._subscriber.close()

    def _published(self, frames: list[bytes]) -> None:
        try:
            message = wire.decode(frames, m.Published)
        except wire.WireError as error:
            self.bad_messages += 1
            log.warning("action=web.bad_frame reason=%r", str(error))
            return
        if isinstance(message, m.Tick) and not self._is_of_leader(message):
            return
        for listener in self._listeners:
            try:
                listener(message)
            except Exception:  # An error in one listener must not affect the others.
                log.exception("action=web.listener_failed message=%s", type(message).__name__)

    def _is_of_leader(self, tick: m.Tick) -> bool:
        """Whether the tick comes from the broker that leads.

        A broker that was stopped and goes on may send a tick before it notices that another one leads now. Its figures
        are old, and its lower number would look like another journal. A lower term counts when the higher one is no
        longer heard: then the database is another one, for example a restored one. Other publications need no such
        check, because a fact is true whoever publishes it.
        """
        now_s = time.monotonic()
        if tick.term < self._term and now_s - self._term_heard_at_s < TERM_HOLDS_S:
            return False
        self._term, self._term_heard_at_s = tick.term, now_s
        return True
