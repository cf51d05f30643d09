"""A ZeroMQ socket in the event loop: one call for each message that arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import zmq

#: Read in one go; the event loop then serves HTTP calls before the next.
DRAIN_MESSAGES = 200
#: The most that ZeroMQ keeps for a socket of the front-end, in each direction.
QUEUED_MESSAGES = 10_000
#: As a plain number: combining pyzmq's enum members costs as much as a small send.
NOBLOCK = int(zmq.NOBLOCK)


class MessageReader:
    """Owns the socket.

    pyzmq's ZMQStream does this as well; it took an eighth of the front-end's time under load, most of it in
    asking the socket for its state after every message.

    The socket's file descriptor is edge-triggered: it tells of news once, and any send or receive may swallow
    that. So every look reads until nothing is left, and every send is followed by a look
    (ZeroMQ's manual, zmq_getsockopt, ZMQ_FD).
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, socket: zmq.Socket[bytes], take: Callable[[list[bytes]], None]
    ) -> None:
        """take: gets the frames of each message; what it raises is the event loop's to report."""
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
        """Send what can be sent at once; the rest, when the socket is full or not connected, is dropped."""
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
