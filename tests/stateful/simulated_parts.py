"""What the simulation consists of: messages in flight, workers and their trainer processes.

`check_help` says what must always hold for the help between workers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from broker.core import Core
from broker.events import Now
from protocol import pipe_messages as piped
from protocol.labels import satisfy
from protocol.task import TaskState
from trainer_worker.agent.core import AgentCore


@dataclass
class Envelope:
    """One message in flight. to_broker: whether `message` travels to the broker or to `peer`."""

    peer: bytes
    message: object
    to_broker: bool
    from_web: bool = False


@dataclass
class SimTrainer:
    """A trainer process: what it was told to train or to help, and whether it was asked to stop."""

    ready: bool = False
    training: piped.Train | None = None
    helping: piped.ComputeFeatures | None = None
    halted: bool = False

    def begin_help(self, order: piped.ComputeFeatures) -> None:
        assert self.training is None, "help in a trainer process that trains"
        self.helping, self.halted = order, False

    def end_help(self) -> piped.HelpEnded:
        """Nothing is left to help with, or the process does as it was told."""
        order, self.helping = self.helping, None
        assert order is not None
        return piped.HelpEnded(order.spec.task_id, order.attempt, 9, 100.0)


@dataclass
class SimWorker:
    name: str
    core: AgentCore
    peer: bytes
    trainers: dict[int, SimTrainer] = field(default_factory=dict)
    asleep: bool = False
    leaving: bool = False


def check_help(core: Core, now: Now) -> None:
    """Only free workers help, only tasks that are being trained, and never more of them than were allowed."""
    for worker in core.workers.free():
        waiting = core.waiting.first(worker.train_types, worker.labels)
        assert waiting is None, f"{worker.name} is free although {waiting} waits"
    helped: Counter[str] = Counter()
    for info in core.workers.infos(now):
        if info.helping:
            assert info.ready, f"{info.worker} helps although it is not free"
            assert satisfy(info.labels, core.tasks[info.helping].spec.needs)
            helped[info.helping] += 1
    for task_id, count in helped.items():
        task = core.tasks[task_id]
        assert task.state is TaskState.PROCESSING, f"{task_id} is helped although nobody trains it"
        assert count == core.workers.help.count(task_id)
        most = task.spec.options["workers"]
        assert isinstance(most, int)
        assert count < most, f"{count} helpers for {task_id}, which may have {most} workers"
