"""The agent's core with its clock in hand, for tests that look at one decision."""

from __future__ import annotations

from typing import Any, TypeVar

from protocol import messages as m
from protocol import pipe_messages as piped
from protocol.task import Trained
from tests.sample_tasks import make_spec
from trainer_worker.agent import events as agent
from trainer_worker.agent.core import AgentCore
from trainer_worker.agent.settings import AgentSettings

Kind = TypeVar("Kind")

HEARTBEAT_S = 2.0
GRACE_S = 10.0
KILL_S = 2.0
TRAINED = Trained("/projects/anna/flowers/models/t1/model.tflite")


class Driver:
    """An agent core, its clock, and what its last events led to."""

    def __init__(self, **settings: Any) -> None:
        values: dict[str, Any] = {"stop_grace_s": GRACE_S, "kill_grace_s": KILL_S, **settings}
        self.core = AgentCore(AgentSettings("w1", "s1", "here", ("classification",), **values))
        self.now_s = 100.0
        self.out: list[agent.Instruction] = []

    def handle(self, event: agent.Event) -> list[agent.Instruction]:
        self.out = self.core.handle(event, self.now_s)
        return self.out

    def broker(self, message: m.BrokerToWorker) -> list[agent.Instruction]:
        return self.handle(agent.BrokerSaid(message))

    def trainer(self, number: int, message: piped.TrainerToAgent) -> list[agent.Instruction]:
        return self.handle(agent.TrainerSaid(number, message))

    def ready(self, number: int) -> list[agent.Instruction]:
        return self.trainer(number, piped.Ready({}))

    def ended(self, number: int, result: m.Result, rss_mb: float = 500.0) -> list[agent.Instruction]:
        return self.trainer(number, piped.Ended(result, rss_mb))

    def wait(self, seconds: float, step_s: float = 0.25) -> list[agent.Instruction]:
        """Everything that happens while time passes, a quarter of a second at a time."""
        out = []
        for _ in range(round(seconds / step_s)):
            self.now_s += step_s
            out += self.handle(agent.TimePassed())
        return out

    def start(self, task_id: str = "t1", attempt: int = 1, **spec: Any) -> list[agent.Instruction]:
        return self.broker(m.Start(make_spec(task_id, **spec), attempt))

    def acknowledge(self, task_id: str = "t1", attempt: int = 1, **more: bool) -> list[agent.Instruction]:
        return self.broker(m.ResultAck(task_id, attempt, **more))


def warm(**settings: Any) -> Driver:
    """Welcomed, with trainer process 1 ready and the spare, 2, ready too."""
    driver = Driver(**settings)
    driver.handle(agent.TimePassed())
    driver.broker(m.Welcome(HEARTBEAT_S, 10.0, 2337))
    driver.ready(1)
    driver.ready(2)
    return driver


def training(**settings: Any) -> Driver:
    driver = warm(**settings)
    driver.start()
    return driver


def of(kind: type[Kind], instructions: list[agent.Instruction]) -> list[Kind]:
    return [instruction for instruction in instructions if isinstance(instruction, kind)]


def sent(kind: type[Kind], instructions: list[agent.Instruction]) -> list[Kind]:
    return [send.message for send in of(agent.Send, instructions) if isinstance(send.message, kind)]
