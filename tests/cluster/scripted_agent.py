"""A worker without TensorFlow, started as `python -m tests.cluster.scripted_agent` with the arguments of a real one.

It trains what it is given until it is stopped early, or at once if the project's name begins with "brief".
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import time

import zmq

from conf.curve import WORKER, local_client_keys
from conf.endpoints import connect_endpoints
from conf.settings import load
from conf.worker_keys import VARIABLE, keys_of_text
from conf.worker_settings import listed_brokers
from protocol import messages as m
from protocol import wire
from protocol.labels import labels_of
from protocol.task import TaskSpec, Trained

HEARTBEAT_INTERVAL_S = 0.2
BRIEF, BRIEF_S = "brief", 0.3
#: The agent ends with an error before it says Hello, if this variable is set.
BROKEN = "SCRIPTED_AGENT_BROKEN"
#: How many seconds every task takes, if this variable is set.
TASK_S = "SCRIPTED_AGENT_TASK_S"


class ScriptedAgent:
    def __init__(self, arguments: argparse.Namespace) -> None:
        settings = load(os.environ)
        keys_text = os.environ.get(VARIABLE, "")
        keys = keys_of_text(keys_text) if keys_text else local_client_keys(settings, WORKER)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._dealer = self._context.socket(zmq.DEALER)
        self._dealer.linger = 1000
        if keys is not None:
            keys.protect(self._dealer)
        for endpoint in listed_brokers(arguments.broker) or [each.worker for each in connect_endpoints(settings)]:
            self._dealer.connect(endpoint)
        self._hello = m.Hello(
            arguments.name,
            f"{time.time_ns():020d}",
            socket.gethostname(),
            ("classification", "segmentation"),
            labels=labels_of(arguments.label),
            pool=arguments.pool,
        )
        self._welcomed = self._draining = self._leaving = False
        self._holds: m.Holding | None = None
        self._spec: TaskSpec | None = None
        self._ends_at_s = float("inf")
        signal.signal(signal.SIGTERM, self._leave)

    def _leave(self, *_: object) -> None:
        self._leaving = True

    def run(self) -> None:
        while not self._leaving:
            self._speak()
            if self._dealer.poll(int(HEARTBEAT_INTERVAL_S * 1000)):
                self._hear(wire.decode(self._dealer.recv_multipart(), m.BrokerToWorker))
        self._hand_back()
        self._send(m.Goodbye())
        self._context.destroy(linger=1000)

    def _send(self, message: m.WorkerToBroker) -> None:
        self._dealer.send_multipart(wire.encode(message))

    def _speak(self) -> None:
        if time.monotonic() >= self._ends_at_s:
            self._finish()
        ready = self._holds is None and not self._draining
        if self._welcomed:
            self._send(m.Heartbeat(ready, self._holds, self._draining, labels=self._hello.labels))
        else:
            self._send(m.Hello(**{name: getattr(self._hello, name) for name in self._hello.__struct_fields__}))

    def _hear(self, message: m.BrokerToWorker) -> None:
        match message:
            case m.Welcome():
                self._welcomed = True
            case m.HelloWanted():
                self._welcomed = False
            case m.Start(spec=spec, attempt=attempt) if self._holds is None:
                self._holds, self._spec = m.Holding(spec.task_id, attempt), spec
                brief_s = BRIEF_S if spec.project_id.startswith(BRIEF) else float("inf")
                self._ends_at_s = time.monotonic() + float(os.environ.get(TASK_S, brief_s))
            case m.Stop(keep=True):
                self._finish()
            case m.Pulse():
                self._draining = self._draining if message.drain is None else message.drain
                if message.hand_back:
                    self._hand_back()
                elif message.order is not None and message.order.keep:
                    self._finish()

    def _finish(self) -> None:
        if self._holds is not None and self._spec is not None:
            path = f"{self._spec.project_path}/models/{self._spec.task_id}/model.tflite"
            self._send(m.Result(self._holds.task_id, self._holds.attempt, trained=Trained(path, {"accuracy": 0.9})))
            self._holds, self._ends_at_s = None, float("inf")

    def _hand_back(self) -> None:
        if self._holds is not None:
            self._send(m.Result(self._holds.task_id, self._holds.attempt, handed_back=True))
            self._holds = None


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--name", "--broker", "--pool"):
        parser.add_argument(name, default="")
    parser.add_argument("--label", action="append", default=[])
    arguments = parser.parse_args()
    if BROKEN in os.environ:
        raise SystemExit("this agent is broken")
    ScriptedAgent(arguments).run()


if __name__ == "__main__":
    main()
