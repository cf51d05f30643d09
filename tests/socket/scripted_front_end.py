"""A front-end that asks the broker what a test tells it to, over a real socket."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeVar

import zmq

from conf.curve import ClientKeys
from protocol import messages as m
from protocol import wire
from protocol.message import Message
from tests.waiting import TIMEOUT_S

Kind = TypeVar("Kind", bound=Message)


class ScriptedFrontEnd:
    """Use as a context manager."""

    def __init__(self, endpoint: str, keys: ClientKeys | None = None) -> None:
        """endpoint: of the broker's socket for front-ends."""
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._dealer = self._context.socket(zmq.DEALER)
        self._dealer.linger = 0
        self._dealer.rcvtimeo = int(TIMEOUT_S * 1000)
        if keys is not None:
            keys.protect(self._dealer)
        self._dealer.connect(endpoint)
        self._request_ids = itertools.count(1)

    def __enter__(self) -> ScriptedFrontEnd:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)

    def send(self, make: Callable[[int], m.WebToBroker]) -> int:
        """make: builds the message from a request_id, which is returned."""
        request_id = next(self._request_ids)
        self._dealer.send_multipart(wire.encode(make(request_id)))
        return request_id

    def receive(self) -> m.BrokerToWeb:
        """The next message. Raises zmq.Again if none comes within TIMEOUT_S."""
        message: m.BrokerToWeb = wire.decode(self._dealer.recv_multipart(), m.BrokerToWeb)
        return message

    def hears_nothing(self, within_ms: int) -> bool:
        return not self._dealer.poll(within_ms)

    def ask(self, kind: type[Kind], make: Callable[[int], m.WebToBroker]) -> Kind:
        """The answer to a request, which must be of this kind."""
        self.send(make)
        answer = self.receive()
        assert isinstance(answer, kind), answer
        return answer
