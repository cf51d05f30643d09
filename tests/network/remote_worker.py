"""`python -m tests.network.remote_worker`: `python -m trainer_worker`, with a trainer process that trains nothing.

The agent, its sockets and its keys are the real ones. A task is done at once, with two exceptions. The first attempt of
a project whose name begins with ENDLESS goes on until it is told to stop. A trainer process is never started.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from protocol import messages as m
from protocol import pipe_messages as piped
from protocol.message import Message
from protocol.task import TaskSpec, Trained
from trainer_worker import __main__ as program
from trainer_worker.agent.spawned_trainer import ProcessGone

ENDLESS = "endless"


class NoTrainer:
    """Has the interface of SpawnedTrainer. Its answers are in a list, and a socket wakes the agent's loop."""

    pid = os.getpid()

    def __init__(self, _: object) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._answers: list[Message] = []
        self._gone = False
        self._answer(piped.Ready({}, ("CPU",)))

    def fileno(self) -> int:
        return self._ours.fileno()

    def messages(self) -> list[Message]:
        self._ours.recv(4096)
        if self._gone:
            raise ProcessGone
        answers, self._answers = self._answers, []
        return answers

    def tell(self, message: Message) -> None:
        if isinstance(message, piped.Train):
            if not message.spec.project_id.startswith(ENDLESS) or message.attempt > 1:
                self._answer(piped.Ended(_done(message.spec, message.attempt), 100.0))
        elif isinstance(message, piped.Halt):
            self._answer(piped.Ended(m.Result(message.task_id, message.attempt, cancelled=True), 100.0))

    def terminate(self, force: bool) -> None:
        self._gone = True
        self._theirs.send(b"!")

    def sample_memory(self) -> float:
        return 0.0

    def end(self) -> str:
        self._ours.close()
        self._theirs.close()
        return "was stopped"

    def _answer(self, message: Message) -> None:
        self._answers.append(message)
        self._theirs.send(b"!")


def _done(spec: TaskSpec, attempt: int) -> m.Result:
    return m.Result(spec.task_id, attempt, trained=Trained(f"{spec.project_path}/models/{spec.task_id}/model.tflite"))


def main() -> None:
    stand_in: Any = NoTrainer
    program.SpawnedTrainer = stand_in  # type: ignore[attr-defined]
    program.main()


if __name__ == "__main__":
    main()
