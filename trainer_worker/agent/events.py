"""What goes into the agent's core and what comes out of it. Plain values."""

from __future__ import annotations

import msgspec

from protocol import messages as m
from protocol.task import TaskSpec

# ---- events ----


class BrokerSaid(msgspec.Struct, frozen=True):
    message: m.BrokerToWorker


class TrainerSaid(msgspec.Struct, frozen=True):
    number: int
    message: m.TrainerToAgent


class TrainerExited(msgspec.Struct, frozen=True):
    """how: "was killed by SIGKILL …" or "exited with code 1 …", to stand behind "trainer process"."""

    number: int
    how: str


class TimePassed(msgspec.Struct, frozen=True):
    pass


class LeaveOrdered(msgspec.Struct, frozen=True):
    """SIGTERM: hand back what is held and go."""


Event = BrokerSaid | TrainerSaid | TrainerExited | TimePassed | LeaveOrdered

# ---- instructions ----


class Send(msgspec.Struct, frozen=True):
    message: m.WorkerToBroker


class Publish(msgspec.Struct, frozen=True):
    message: m.KeyedProgress


class ConnectProgress(msgspec.Struct, frozen=True):
    """port: as Welcome says it."""

    port: int


class Spawn(msgspec.Struct, frozen=True):
    number: int


class Tell(msgspec.Struct, frozen=True):
    number: int
    message: m.AgentToTrainer


class Terminate(msgspec.Struct, frozen=True):
    """SIGTERM to the process group; force: SIGKILL."""

    number: int
    force: bool = False


class Discard(msgspec.Struct, frozen=True):
    """Remove everything that a cancelled task has left in its project folder."""

    spec: TaskSpec


class Leave(msgspec.Struct, frozen=True):
    """Everything is said; end the program."""


class Note(msgspec.Struct, frozen=True):
    """For the log."""

    text: str


Instruction = Send | Publish | ConnectProgress | Spawn | Tell | Terminate | Discard | Leave | Note
