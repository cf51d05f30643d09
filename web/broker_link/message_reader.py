"""Read a ZeroMQ socket in the event loop, and call a function for each message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import zmq

#: The most messages that are read in one turn of the event loop, so that HTTP calls get their turn.
DRAIN_MESSAGES = 200
#: The most messages that ZeroMQ queues for a socket of the front-end, in each direction.
QUEUED_MESSAGES = 10_000
#: A plain number, because combining pyzmq's enum members takes as long as sending a small message.
NOBLOCK = int(zmq.NOBLOCK)


class MessageReader:
    """Owns the socket. It replaces pyzmq's ZMQStream: see docs/choices.md, "What makes a POST cheap".

    The socket's file descriptor is edge-triggered: it signals new messages only once, and any send or receive can
    consume the signal. So each read continues until no message is left, and each send is followed by a read (ZeroMQ's
    manual, zmq_getsockopt, ZMQ_FD).
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, socket: zmq.Socket[bytes], take: Callable[[list[bytes]], None]
    ) -> None:
        """take: called with the frames of each message. The event loop logs what it raises."""
        self._loop = loop
        self._socket = socket
        self._take = take

    def start(self) -> None:
        self._loop.add_reader(self._socket.fileno(), self._drain)
        self._loop.call_soon(self._drain)

    def close(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def send_all(self, messages: Iterable[Sequence[bytes]]) -> None:
        """Send the messages. If the socket is full or not connected, the rest is dropped."""
        if self._socket.closed:
            return
        try:
            for frames in messages:
                self._socket.send_multipart(frames, NOBLOCK)
        except zmq.Again:
            pass
        self._drain()

    def _drain(self) -> None:
        if self._socket.closed:
            return
        more = True
        try:
            for _ in range(DRAIN_MESSAGES):
                try:
                    frames = self._socket.recv_multipart(NOBLOCK)
                except zmq.Again:
                    more = False
                    return
                self._take(frames)
        finally:
            if more:
                self._loop.call_soon(self._drain)
