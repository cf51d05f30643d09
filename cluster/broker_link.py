"""The controller's connection to the broker. It speaks as a front-end does."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Sequence

import zmq

from conf.curve import ClientKeys
from conf.sockets import connect_all, connecting_socket
from protocol import messages as m
from protocol import wire

QUEUED_MESSAGES = 100
REPEAT_INTERVAL_S = 0.5


class BrokerAwayError(Exception):
    """The broker has not answered in time."""


class BrokerLink:
    """Use it from one thread. Every request is repeated until it is answered or its time is up."""

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
        self._dealer = connecting_socket(context, zmq.DEALER, keys, QUEUED_MESSAGES, linger_ms=0)
        connect_all(self._dealer, endpoints)

    def close(self) -> None:
        self._dealer.close()

    def report(self, pools: tuple[m.PoolInfo, ...]) -> m.Demand:
        """Tell the broker about the pools. Returns what waits and which workers it has. Raises BrokerAwayError."""
        answer = self._ask(lambda request_id: m.PoolsReported(request_id, pools))
        if not isinstance(answer, m.Demand):
            raise BrokerAwayError(f"it answered the report with {answer!r}")
        return answer

    def drain(self, worker: str, why: m.HandBackReason | None = None) -> m.WorkerInfo | None:
        """Let the worker take no new task. Returns what is known of it then; None if it is not registered.

        why: the worker also gives its task back at once, for this reason. Raises BrokerAwayError.
        """
        answer = self._ask(
            lambda request_id: m.DrainWanted(request_id, worker, True, why is not None, why or "handed_back")
        )
        return answer.workers[0] if isinstance(answer, m.Workers) and answer.workers else None

    def _ask(self, make: Callable[[int], m.WebToBroker]) -> m.BrokerToWeb:
        request_id = next(self._request_ids)
        frames = wire.encode(make(request_id))
        give_up_at_s = time.monotonic() + self._timeout_s
        next_send_s = 0.0
        while (now_s := time.monotonic()) < give_up_at_s:
            if now_s >= next_send_s:
                next_send_s = now_s + REPEAT_INTERVAL_S
                with contextlib.suppress(zmq.Again):  # There is no connection now. It is tried again.
                    self._dealer.send_multipart(frames, zmq.NOBLOCK)
            if self._dealer.poll(max(1, int((min(next_send_s, give_up_at_s) - now_s) * 1000))):
                try:
                    answer = wire.decode(self._dealer.recv_multipart(zmq.NOBLOCK), m.BrokerToWeb)
                except wire.WireError as error:
                    raise BrokerAwayError(f"its answer cannot be read: {error}") from error
                if getattr(answer, "request_id", None) == request_id:
                    return answer  # type: ignore[no-any-return]
        raise BrokerAwayError(f"it has not answered for {self._timeout_s:.0f} s")
