"""A real agent in a thread of this process. Its trainer only waits for a while, and then says that it has trained."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import zmq

from conf.curve import ClientKeys
from protocol import pipe_messages as piped
from protocol.message import Message
from protocol.messages import Result
from protocol.task import Trained
from trainer_worker.agent.core import AgentCore
from trainer_worker.agent.loop import Agent
from trainer_worker.agent.settings import AgentSettings
from trainer_worker.agent.spawned_trainer import ProcessGone, SpawnedTrainer

TRAIN_TYPES = ("classification", "segmentation")


class ActingAgent:
    """Use as a context manager. It reconnects, holds its lease and repeats its results as the real agent does."""

    def __init__(self, endpoints: Sequence[str], name: str, train_s: float, keys: ClientKeys | None = None) -> None:
        """endpoints: of the worker sockets of all brokers. train_s: how long a training takes."""
        settings = AgentSettings(name, f"{os.getpid()}-{name}", "test", TRAIN_TYPES, keep_spare=False)
        spawn = lambda: cast(SpawnedTrainer, _ActingTrainer(train_s))  # noqa: E731 - it stands in for a process
        self._agent = Agent(AgentCore(settings), zmq.Context(), endpoints, keys, spawn)
        self._thread = threading.Thread(target=self._agent.run, name=name, daemon=True)

    def __enter__(self) -> ActingAgent:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._agent.leave_on_signal()
        self._thread.join()


class _ActingTrainer:
    """What an agent needs of a SpawnedTrainer."""

    pid = 0

    def __init__(self, train_s: float) -> None:
        self._train_s = train_s
        self._said: queue.SimpleQueue[piped.TrainerToAgent | None] = queue.SimpleQueue()
        self._timer: threading.Timer | None = None
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._say(piped.Ready({}))

    def fileno(self) -> int:
        return self._wake_read

    def messages(self) -> list[piped.TrainerToAgent]:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        found = []
        while not self._said.empty():
            message = self._said.get()
            if message is None:
                raise ProcessGone
            found.append(message)
        return found

    def tell(self, message: Message) -> None:
        match message:
            case piped.Train(spec=spec, attempt=attempt):
                # The agent moves the percentage on by itself from 10 to 90 while it hears nothing.
                self._say(piped.Report(10.0, "train", 90.0, self._train_s, self._train_s))
                trained = Trained(
                    str(Path(spec.project_path, "models", spec.task_id, "model.tflite")), {"accuracy": 0.9}
                )
                self._end_later(self._train_s, Result(spec.task_id, attempt, trained=trained))
            case piped.Halt():
                self._end_later(0.0, Result(message.task_id, message.attempt, cancelled=True))

    def terminate(self, force: bool) -> None:
        self._cancel()
        self._say(None)

    def sample_memory(self) -> float:
        return 0.0

    def end(self) -> str:
        self._cancel()
        os.close(self._wake_read)
        os.close(self._wake_write)
        return "has ended"

    def _end_later(self, seconds: float, result: Result) -> None:
        self._cancel()
        self._timer = threading.Timer(seconds, self._say, [piped.Ended(result, 0.0)])
        self._timer.daemon = True
        self._timer.start()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _say(self, message: Any) -> None:
        self._said.put(message)
        with contextlib.suppress(OSError):  # The agent has closed it meanwhile.
            os.write(self._wake_write, b"!")
