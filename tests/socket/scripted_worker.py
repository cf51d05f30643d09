"""A worker that says what a test tells it to, over real sockets."""

from __future__ import annotations

import time
from typing import Any, TypeVar

import zmq

from conf.curve import ClientKeys
from protocol import messages as m
from protocol import wire
from protocol.message import Message
from protocol.task import Trained
from tests.waiting import TIMEOUT_S, wait_until

Kind = TypeVar("Kind", bound=Message)


class ScriptedWorker:
    """Use as a context manager. All waiting ends after TIMEOUT_S with what was heard last."""

    def __init__(self, endpoint: str, name: str = "w1", keys: ClientKeys | None = None) -> None:
        """endpoint: of the broker's worker socket."""
        self.name = name
        self.publish_key = ""
        self.start_id = f"start-{time.monotonic_ns()}"
        self._keys = keys
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._dealer = self._socket(zmq.DEALER)
        self._dealer.connect(endpoint)
        self._publisher = self._socket(zmq.PUB)

    def __enter__(self) -> ScriptedWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)

    def _socket(self, kind: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.reconnect_ivl = 20
        if self._keys is not None:
            self._keys.protect(socket)
        return socket

    def send(self, message: m.WorkerToBroker) -> None:
        self.send_frames(wire.encode(message))

    def send_frames(self, frames: list[bytes]) -> None:
        self._dealer.send_multipart(frames)

    def receive(self, kind: type[Kind]) -> Kind:
        """The next message of that kind; others before it are passed over."""
        heard: list[Any] = []
        give_up_at_s = time.monotonic() + TIMEOUT_S
        while (left_s := give_up_at_s - time.monotonic()) > 0:
            if self._dealer.poll(int(left_s * 1000) + 1):
                message = wire.decode(self._dealer.recv_multipart(), m.BrokerToWorker)
                if isinstance(message, m.Welcome):
                    self.publish_key = message.publish_key
                if isinstance(message, kind):
                    return message
                heard.append(message)
        raise AssertionError(f"no {kind.__name__} within {TIMEOUT_S:.0f} s; heard: {heard[-3:]!r}")

    def heard(self, within_ms: int) -> Any:
        """The next message of any kind; None if there is none within that time."""
        if not self._dealer.poll(within_ms):
            return None
        return wire.decode(self._dealer.recv_multipart(), m.BrokerToWorker)

    def next_frames(self, within_s: float) -> list[bytes]:
        """The next message as it came. Raises TimeoutError."""
        if not self._dealer.poll(int(within_s * 1000)):
            raise TimeoutError
        return self._dealer.recv_multipart()

    def hears_nothing(self, within_s: float) -> bool:
        return not self._dealer.poll(int(within_s * 1000))

    def hello(self, ready: bool = True, holds: m.Holding | None = None) -> None:
        self.send(m.Hello(self.name, self.start_id, "test", ("classification", "segmentation"), ready, holds))

    def join(self) -> ScriptedWorker:
        """Register, ready for work."""
        self.hello()
        self.receive(m.Welcome)
        return self

    def heartbeat(self, ready: bool, holds: m.Holding | None = None) -> m.Pulse:
        self.send(m.Heartbeat(ready, holds))
        return self.receive(m.Pulse)

    def knock(self, heartbeat: m.Heartbeat) -> None:
        """Repeat it, as an agent does, until a broker that was started again asks who this is.

        The first one may be lost on the connection to the broker that has just died.
        """

        def is_asked() -> bool:
            self.send(heartbeat)
            return isinstance(self.heard(within_ms=1000), m.HelloWanted)

        wait_until(is_asked, "a broker that wants a Hello")

    def leave(self) -> None:
        """Say goodbye. Returns when the broker has heard it and knows this worker no more."""
        self.send(m.Goodbye())
        self.send(m.Heartbeat(ready=False))
        self.receive(m.HelloWanted)

    def finish(self, start: m.Start, **more: Any) -> m.ResultAck:
        """The training of that start ended well. more: fields of Trained."""
        trained = Trained(
            f"{start.spec.project_path}/models/{start.spec.task_id}/model.tflite", {"accuracy": 0.9}, **more
        )
        self.send(m.Result(start.spec.task_id, start.attempt, trained=trained))
        return self.receive(m.ResultAck)

    def connect_progress(self, endpoint: str) -> None:
        self._publisher.connect(endpoint)

    def publish(self, progress: m.Progress) -> None:
        """May be lost, as a publication may; say it again until it has been seen."""
        self._publisher.send_multipart(wire.encode(m.KeyedProgress(self.publish_key, progress)))
