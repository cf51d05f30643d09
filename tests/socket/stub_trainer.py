"""A worker in a thread that ends every task at once: well, badly, or when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable

import zmq

from protocol import messages as m
from protocol import wire
from protocol.errors import Failure, FailureClass
from protocol.task import TaskSpec, Trained
from tests.socket.scripted_worker import ScriptedWorker

HEARTBEAT_INTERVAL_S = 0.5
#: Projects whose names begin like this are trained until somebody stops them, or fail.
ENDLESS, FAILING = "endless", "failing"


class StubTrainer:
    """Use as a context manager. It has one task at a time, like a real worker."""

    def __init__(self, endpoint: str) -> None:
        """endpoint: of the broker's worker socket."""
        self._endpoint = endpoint
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._holds: m.Holding | None = None
        self._spec: TaskSpec | None = None

    def __enter__(self) -> StubTrainer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        self._thread.join()

    def _work(self) -> None:
        with ScriptedWorker(self._endpoint, "stub") as worker:
            worker.hello()
            while not self._leave.is_set():
                try:
                    message = wire.decode(worker.next_frames(HEARTBEAT_INTERVAL_S), m.BrokerToWorker)
                except TimeoutError:
                    worker.send(m.Heartbeat(self._holds is None, self._holds))
                    continue
                except zmq.ZMQError:
                    return
                self._take(message, worker.send)

    def _take(self, message: m.BrokerToWorker, send: Callable[[m.WorkerToBroker], None]) -> None:
        match message:
            case m.Start(spec=spec, attempt=attempt):
                self._holds, self._spec = m.Holding(spec.task_id, attempt), spec
                if not spec.project_id.startswith(ENDLESS):
                    send(result_of(spec, attempt))
                else:
                    send(m.Heartbeat(False, self._holds))
            case m.Stop() | m.Pulse(order=m.Stop()):
                self._stop(message.order if isinstance(message, m.Pulse) else message, send)
            case m.ResultAck():
                self._holds = None
                send(m.Heartbeat(ready=True))
            case m.HelloWanted():
                send(m.Heartbeat(self._holds is None, self._holds))

    def _stop(self, order: m.Stop | None, send: Callable[[m.WorkerToBroker], None]) -> None:
        assert order is not None
        if order.keep and self._spec is not None and self._spec.task_id == order.task_id:
            send(result_of(self._spec, order.attempt))
        else:
            send(m.Result(order.task_id, order.attempt, cancelled=True))


def result_of(spec: TaskSpec, attempt: int) -> m.Result:
    if spec.project_id.startswith(FAILING):
        return m.Result(spec.task_id, attempt, failure=Failure("no_images", FailureClass.DATA, "There is no picture."))
    trained = Trained(f"{spec.project_path}/models/{spec.task_id}/model.tflite", {"accuracy": 0.9})
    return m.Result(spec.task_id, attempt, trained=trained)
