"""What the simulation consists of: messages in flight, workers and their trainer processes."""

from __future__ import annotations

from dataclasses import dataclass, field

from protocol import pipe_messages as piped
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
    """A trainer process: what it was told to train, and whether it was asked to stop."""

    ready: bool = False
    training: piped.Train | None = None
    halted: bool = False


@dataclass
class SimWorker:
    name: str
    core: AgentCore
    peer: bytes
    trainers: dict[int, SimTrainer] = field(default_factory=dict)
    asleep: bool = False
    leaving: bool = False
