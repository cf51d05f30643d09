"""Requests to the broker. Each is repeated until it is answered or its time is up."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import zmq

from conf.curve import ClientKeys
from conf.sockets import connect_all, connecting_socket
from protocol import messages as m
from protocol import wire
from protocol.bounds import is_task_id
from web.broker_link.message_reader import QUEUED_MESSAGES, MessageReader

log = logging.getLogger("web")

REPEAT_INTERVAL_S = 0.5
REPEAT_CHECK_INTERVAL_S = 0.1


class BrokerAwayError(Exception):
    """The broker did not answer in time. It may or may not have carried out the request."""


@dataclass(slots=True)
class _Request:
    """A request that waits for its answer. Its times are those of the event loop's clock."""

    message: m.WebToBroker
    answer: asyncio.Future[m.BrokerToWeb]
    repeat_at_s: float
    give_up_at_s: float


class BrokerRequests:
    """Create it inside a running event loop, then call `start`."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoints: Sequence[str],
        keys: ClientKeys | None,
        timeout_s: float,
    ) -> None:
        """endpoints: the sockets for front-ends of all brokers. timeout_s: how long a request waits for its answer."""
        self._timeout_s = timeout_s
        self._request_ids = itertools.count(1)
        self._waiting: dict[int, _Request] = {}
        self._outbox: list[m.WebToBroker] = []
        #: How many messages of the broker could not be read.
        self.bad_messages = 0
        self._take_snapshot_part: Callable[[m.SnapshotPart], None] = lambda _: None
        dealer = connecting_socket(context, zmq.DEALER, keys, QUEUED_MESSAGES, linger_ms=0)
        connect_all(dealer, endpoints)
        self._loop = asyncio.get_running_loop()
        self._dealer = MessageReader(self._loop, dealer, self._answered)

    def start(self) -> None:
        self._dealer.start()
        self._repeat_timer = self._loop.call_later(REPEAT_CHECK_INTERVAL_S, self._repeat_requests)

    def close(self) -> None:
        self._repeat_timer.cancel()
        self._dealer.close()

    def deliver_snapshots_to(self, take: Callable[[m.SnapshotPart], None]) -> None:
        """take: called with each part of a snapshot that `ask_for_snapshot` has asked for."""
        self._take_snapshot_part = take

    def ask_for_snapshot(self) -> None:
        """Ask for a snapshot, without repeats: a caller that still misses it calls this again."""
        self._send(m.SnapshotWanted(next(self._request_ids)))

    async def request(self, make: Callable[[int], m.WebToBroker]) -> m.BrokerToWeb:
        """Send a request and return the broker's answer. make: builds the message from a request_id.

        The request is repeated until it is answered, because every request may arrive twice without harm. Raises
        BrokerAwayError after timeout_s.
        """
        request_id = next(self._request_ids)
        message = make(request_id)
        if isinstance(message, m.Lookup | m.Cancel | m.StopEarly | m.Promote) and not is_task_id(message.task_id):
            # The broker would refuse the whole message, since this is not a task id.
            error = f"There is no task {message.task_id[:80]!r}; a taskId has 32 hexadecimal digits."
            return m.Refused(request_id, "unknown_task", error)
        now_s = self._loop.time()
        answer: asyncio.Future[m.BrokerToWeb] = self._loop.create_future()
        request = _Request(message, answer, now_s + REPEAT_INTERVAL_S, now_s + self._timeout_s)
        self._waiting[request_id] = request
        self._send(request.message)
        try:
            return await answer
        finally:
            del self._waiting[request_id]

    def _repeat_requests(self) -> None:
        """Repeat or give up requests. One timer serves all: a timer for each would take longer than sending it."""
        self._repeat_timer = self._loop.call_later(REPEAT_CHECK_INTERVAL_S, self._repeat_requests)
        now_s = self._loop.time()
        for request in self._waiting.values():
            if request.answer.done():
                continue
            if now_s >= request.give_up_at_s:
                request.answer.set_exception(BrokerAwayError())
            elif now_s >= request.repeat_at_s:
                request.repeat_at_s = now_s + REPEAT_INTERVAL_S
                self._send(request.message)

    def _send(self, message: m.WebToBroker) -> None:
        """Queue a message. All messages of one turn of the event loop leave together, so one commit can take them."""
        if not self._outbox:
            self._loop.call_soon(self._send_outbox)
        self._outbox.append(message)

    def _send_outbox(self) -> None:
        messages, self._outbox = self._outbox, []
        # A message that cannot be sent now, because there is no connection, is repeated later or given up in time.
        self._dealer.send_all([wire.encode(message) for message in messages])

    def _answered(self, frames: list[bytes]) -> None:
        try:
            message = wire.decode(frames, m.BrokerToWeb)
        except wire.WireError as error:
            self.bad_messages += 1
            log.warning("action=web.bad_frame reason=%r", str(error))
            return
        if isinstance(message, m.SnapshotPart):
            self._take_snapshot_part(message)
            return
        request = self._waiting.get(message.request_id)
        if request is not None and not request.answer.done():
            request.answer.set_result(message)
