"""The front-end's two sockets to the broker: requests with answers, and publications into the task cache."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import zmq

from conf.curve import ClientKeys
from conf.endpoints import Endpoints
from protocol import messages as m
from protocol import wire
from protocol.bounds import MAX_PAYLOAD_BYTES, is_task_id
from web.message_reader import MessageReader
from web.task_cache import TaskCache

log = logging.getLogger("web")

HIGH_WATER_MARK = 10_000
REPEAT_INTERVAL_S = 0.5
REPEAT_CHECK_INTERVAL_S = 0.1
LIVENESS_PING_MS = 2_000
LIVENESS_TIMEOUT_MS = 8_000
#: The broker ticks every second; after this much silence it counts as away.
AWAY_AFTER_S = 3.5


class BrokerAwayError(Exception):
    """No answer in time; what was asked may or may not have been done."""


@dataclass(slots=True)
class _Request:
    """Waits for its answer. Times are those of the event loop's clock."""

    message: m.WebToBroker
    answer: asyncio.Future[m.BrokerToWeb]
    repeat_at_s: float
    give_up_at_s: float


class BrokerClient:
    """Create inside a running event loop, then `start`."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoints: Endpoints,
        keys: ClientKeys | None,
        cache: TaskCache,
        timeout_s: float,
    ) -> None:
        """timeout_s: the longest that a request waits for its answer."""
        self._cache = cache
        self._timeout_s = timeout_s
        self._request_ids = itertools.count(1)
        self._waiting: dict[int, _Request] = {}
        self._outbox: list[m.WebToBroker] = []
        self._snapshot_asked_at_s = 0.0
        self._tick: m.Tick | None = None
        self._ticked_at_s = 0.0
        self._stuck_since_s: float | None = None
        subscriber = self._socket(context, zmq.SUB, keys)
        subscriber.subscribe(b"")
        subscriber.connect(endpoints.publish)
        dealer = self._socket(context, zmq.DEALER, keys)
        # Requests are repeated until answered; a queue for a broker that is away would only age.
        dealer.setsockopt(zmq.IMMEDIATE, 1)
        dealer.connect(endpoints.web)
        self._loop = asyncio.get_running_loop()
        self._subscriber = MessageReader(self._loop, subscriber, self._published)
        self._dealer = MessageReader(self._loop, dealer, self._answered)

    def start(self) -> None:
        self._subscriber.start()
        self._dealer.start()
        self._repeat_timer = self._loop.call_later(REPEAT_CHECK_INTERVAL_S, self._repeat_requests)

    def close(self) -> None:
        self._repeat_timer.cancel()
        self._subscriber.close()
        self._dealer.close()

    @property
    def tick(self) -> m.Tick | None:
        """The broker's newest tick; None when it has been silent for too long."""
        return self._tick if time.monotonic() - self._ticked_at_s < AWAY_AFTER_S else None

    @property
    def stuck_for_s(self) -> float:
        """For how long tasks have been waiting while workers are free."""
        return time.monotonic() - self._stuck_since_s if self._stuck_since_s is not None else 0.0

    async def request(self, make: Callable[[int], m.WebToBroker]) -> m.BrokerToWeb:
        """The broker's answer to the message that `make` builds around a request_id.

        Every request may safely arrive twice, so it is repeated until answered. BrokerAwayError after timeout_s.
        """
        request_id = next(self._request_ids)
        message = make(request_id)
        if isinstance(message, m.Lookup | m.Cancel | m.StopEarly) and not is_task_id(message.task_id):
            # The broker would not even read the question.
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
        """One timer for all requests: one for each would cost more than sending it."""
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
        """Leaves with all others of this turn of the event loop: the broker then commits them together."""
        if not self._outbox:
            self._loop.call_soon(self._send_outbox)
        self._outbox.append(message)

    def _send_outbox(self) -> None:
        messages, self._outbox = self._outbox, []
        # Those that cannot be sent now (not connected) are repeated, or given up in time.
        self._dealer.send_all([wire.encode(message) for message in messages])

    def _answered(self, frames: list[bytes]) -> None:
        try:
            message = wire.decode(frames, m.BrokerToWeb)
        except wire.WireError as error:
            log.warning("action=web.bad_frame reason=%r", str(error))
            return
        if isinstance(message, m.SnapshotPart):
            self._cache.apply_snapshot(message)
            if message.last:
                self._snapshot_asked_at_s = 0.0
                log.info("action=cache.synced seq=%d tasks=%d", message.seq, len(self._cache))
            return
        request = self._waiting.get(message.request_id)
        if request is not None and not request.answer.done():
            request.answer.set_result(message)

    def _published(self, frames: list[bytes]) -> None:
        try:
            message = wire.decode(frames, m.Published)
        except wire.WireError as error:
            log.warning("action=web.bad_frame reason=%r", str(error))
            return
        missed = False
        match message:
            case m.TasksChanged():
                for change in message.changes:
                    missed = self._cache.apply_change(change)
            case m.Progress():
                self._cache.apply_progress(message)
            case m.Tick():
                self._take_tick(message)
                missed = self._cache.apply_tick(message)
        if missed or not self._cache.synced:
            self._ask_for_snapshot()

    def _take_tick(self, tick: m.Tick) -> None:
        self._tick, self._ticked_at_s = tick, time.monotonic()
        if not (tick.pending and tick.free):
            self._stuck_since_s = None
        elif self._stuck_since_s is None:
            self._stuck_since_s = self._ticked_at_s

    def _ask_for_snapshot(self) -> None:
        """Once a second at most: the publication that showed the gap is followed by many more."""
        now_s = time.monotonic()
        if now_s - self._snapshot_asked_at_s >= REPEAT_INTERVAL_S:
            self._snapshot_asked_at_s = now_s
            self._send(m.SnapshotWanted(next(self._request_ids)))

    @staticmethod
    def _socket(context: zmq.Context[zmq.Socket[bytes]], kind: int, keys: ClientKeys | None) -> zmq.Socket[bytes]:
        socket = context.socket(kind)
        socket.linger = 0
        socket.sndhwm = socket.rcvhwm = HIGH_WATER_MARK
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_PAYLOAD_BYTES)
        socket.ipv6 = True  # IPv4 as well
        # A host that vanishes without a word closes no connection; this does, and ZeroMQ then connects anew.
        socket.setsockopt(zmq.HEARTBEAT_IVL, LIVENESS_PING_MS)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, LIVENESS_TIMEOUT_MS)
        if keys is not None:
            keys.protect(socket)
        return socket
