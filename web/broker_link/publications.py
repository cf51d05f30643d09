"""Receive what the broker publishes, and pass it on to all listeners in this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import zmq

from conf.curve import ClientKeys
from conf.sockets import connecting_socket
from protocol import messages as m
from protocol import wire
from web.broker_link.message_reader import QUEUED_MESSAGES, MessageReader

log = logging.getLogger("web")

Listener = Callable[[m.Published], None]


class Publications:
    """Create it inside a running event loop, then call `start`."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        keys: ClientKeys | None,
        listeners: Sequence[Listener],
    ) -> None:
        """endpoint: the broker's publishing socket. listeners: called with each publication, in this order."""
        self._listeners = listeners
        #: How many messages of the broker could not be read.
        self.bad_messages = 0
        subscriber = connecting_socket(context, zmq.SUB, keys, QUEUED_MESSAGES, linger_ms=0)
        subscriber.subscribe(b"")
        subscriber.connect(endpoint)
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
        for listener in self._listeners:
            try:
                listener(message)
            except Exception:  # An error in one listener must not affect the others.
                log.exception("action=web.listener_failed message=%s", type(message).__name__)
