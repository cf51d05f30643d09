"""The events that the agent's core handles and the instructions that it returns. Plain values."""

from __future__ import annotations

from typing import Any

import msgspec

from protocol import messages as m
from protocol import pipe_messages as piped
from protocol.task import TaskSpec

# ---- events ----


class BrokerSaid(msgspec.Struct, frozen=True):
    message: m.BrokerToWorker


class TrainerSaid(msgspec.Struct, frozen=True):
    number: int
    message: piped.TrainerToAgent


class TrainerExited(msgspec.Struct, frozen=True):
    """how: continues the sentence "the trainer process …", such as "was killed by SIGKILL at 2.1 GB"."""

    number: int
    how: str


class MachineSampled(msgspec.Struct, frozen=True):
    """memory_mb: what the agent and its trainer processes hold now. wall_s: the clock, in seconds since the epoch."""

    memory_mb: float
    wall_s: float = 0.0


class TimePassed(msgspec.Struct, frozen=True):
    pass


class LeaveOrdered(msgspec.Struct, frozen=True):
    """SIGTERM or SIGINT: hand back the attempt that is held, and leave."""


Event = BrokerSaid | TrainerSaid | TrainerExited | MachineSampled | TimePassed | LeaveOrdered

# ---- instructions ----


class Send(msgspec.Struct, frozen=True):
    message: m.WorkerToBroker


class Publish(msgspec.Struct, frozen=True):
    message: m.KeyedProgress


class ConnectProgress(msgspec.Struct, frozen=True):
    """port: the progress_port of the Welcome."""

    port: int


class Spawn(msgspec.Struct, frozen=True):
    number: int


class Tell(msgspec.Struct, frozen=True):
    number: int
    message: piped.AgentToTrainer


class Terminate(msgspec.Struct, frozen=True):
    """Send SIGTERM to the process group. force: SIGKILL instead."""

    number: int
    force: bool = False


class Discard(msgspec.Struct, frozen=True):
    """Remove everything that a cancelled task has left in its project folder."""

    spec: TaskSpec


class AttemptOver(msgspec.Struct, frozen=True):
    """The attempt has ended. ran_s: the seconds since a trainer process, or at first the agent, took it."""

    start: m.Start
    result: m.Result
    ran_s: float
    stages: tuple[piped.StageBegan, ...] = ()


class Leave(msgspec.Struct, frozen=True):
    """Everything has been sent; end the program."""


class Note(msgspec.Struct, frozen=True):
    """A line for the log. template: as in a call of a logger. values: what its conversions stand for."""

    template: str
    values: tuple[Any, ...] = ()


Instruction = Send | Publish | ConnectProgress | Spawn | Tell | Terminate | Discard | AttemptOver | Leave | Note
