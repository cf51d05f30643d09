"""A worker that trains nothing and reports progress four times a second, for benchmarks of what happens to reports."""

from __future__ import annotations

import threading
import time

import zmq

from conf.endpoints import Endpoints
from protocol import messages as m
from protocol import wire

REPORTS_A_SECOND = 4
HEARTBEAT_INTERVAL_S = 1.0
#: So small a step that the percentage rises for days.
STEP_PERCENT = 0.0001


class ReportingWorker:
    """Use as a context manager. It takes one task and reports until the end."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> ReportingWorker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        dealer, publisher = context.socket(zmq.DEALER), context.socket(zmq.PUB)
        dealer.connect(self._endpoints.worker)
        publisher.connect(self._endpoints.collect)
        try:
            self._report(dealer, publisher)
        finally:
            context.destroy(linger=0)

    def _report(self, dealer: zmq.Socket[bytes], publisher: zmq.Socket[bytes]) -> None:
        dealer.send_multipart(wire.encode(m.Hello("reporting", "start", "benchmark", ("classification",), ready=True)))
        key, holding, percent, next_heartbeat_s = "", None, 0.0, 0.0
        while not self._ended.wait(1 / REPORTS_A_SECOND):
            while dealer.poll(0):
                message = wire.decode(dealer.recv_multipart(), m.BrokerToWorker)
                if isinstance(message, m.Welcome):
                    key = message.publish_key
                elif isinstance(message, m.Start):
                    holding = m.Holding(message.spec.task_id, message.attempt)
            if time.monotonic() > next_heartbeat_s:
                next_heartbeat_s = time.monotonic() + HEARTBEAT_INTERVAL_S
                dealer.send_multipart(wire.encode(m.Heartbeat(holding is None, holding)))
            if holding is not None:
                percent += STEP_PERCENT
                metrics = {"sent": time.monotonic(), "accuracy": 0.9, "loss": 0.1}
                progress = m.Progress(
                    holding.task_id, holding.attempt, percent, "train", 60.0, 3, metrics, 50.0, 90.0, 20
                )
                publisher.send_multipart(wire.encode(m.KeyedProgress(key, progress)))
