"""The state of the agent's core: its trainer processes and the attempt that it holds. Plain values."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from protocol import messages as m
from protocol.errors import Failure
from protocol.pipe_messages import StageBegan
from trainer_worker.agent.progress_clock import ProgressClock


class ProcessState(enum.Enum):
    STARTING = enum.auto()
    READY = enum.auto()
    HELPING = enum.auto()
    RETIRING = enum.auto()


@dataclass(slots=True)
class TrainerProcess:
    number: int
    spawned_at_s: float
    state: ProcessState = ProcessState.STARTING
    tasks_done: int = 0


@dataclass(slots=True)
class Work:
    """The attempt that the agent holds. number: of the trainer process that has it; None until one is ready."""

    start: m.Start
    clock: ProgressClock
    began_at_s: float
    number: int | None = None
    halt: m.Stop | None = None
    halted_at_s: float = 0.0
    rung: str = ""
    #: The failure to report, once the trainer process was killed because it took too long.
    overdue: Failure | None = None
    #: The stages of the training that have begun.
    stages: tuple[StageBegan, ...] = ()
    helpers_wanted: int = 0

    @property
    def holding(self) -> m.Holding:
        return m.Holding(self.start.spec.task_id, self.start.attempt)


def outcome_of(result: m.Result) -> str:
    """What a result says, for the log."""
    if result.trained is not None:
        return "trained"
    if result.failure is not None:
        return f"failed code={result.failure.code}"
    return "stopped" if result.cancelled else "handed_back"
