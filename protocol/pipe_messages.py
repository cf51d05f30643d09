"""The messages between an agent and its trainer process. PROTOCOL.md explains each of them.

They travel through a pipe, which loses nothing. If it closes, the trainer process ends.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.artifact import UsableModel
from protocol.bounds import Attempt, Number, Numbers, TaskId, Whole, Word, kept_numbers
from protocol.message import Message
from protocol.messages import Devices, Result
from protocol.options import MAX_TASK_WORKERS
from protocol.task import TaskSpec


class Train(Message, frozen=True):
    """Agent to trainer process: train this. The pipe loses no message. If it closes, the trainer process ends."""

    spec: TaskSpec
    attempt: Attempt
    batch_divisor: Annotated[int, Meta(ge=1, le=2**62)] = 1


class ComputeFeatures(Message, frozen=True):
    """Agent to trainer process: help an attempt of another worker. place: see protocol.messages.Help."""

    spec: TaskSpec
    attempt: Attempt
    place: Annotated[int, Meta(ge=1, le=MAX_TASK_WORKERS - 1)]


class Halt(Message, frozen=True):
    """Agent to trainer process: end this attempt, or the help for it, at the next batch. keep: export the best model so
    far.
    """

    attempt: Attempt
    task_id: TaskId
    keep: bool = False


class Ready(Message, frozen=True):
    """Trainer process to agent: TensorFlow is loaded. devices: what it computes with."""

    versions: Annotated[
        dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=256)]], Meta(max_length=64)
    ]
    devices: Devices = ()


class StageBegan(msgspec.Struct, frozen=True):
    """A stage of an attempt. at_s: in seconds since the epoch. It lasts until the next one begins."""

    stage: Word
    at_s: Number


#: The most stages of an attempt that are told to the agent.
MAX_STAGES = 64


class Report(Message, frozen=True):
    """Trainer process to agent: how far the training is.

    phase_end: the percentage at the end of this phase. phase_expected_s: the seconds that the phase is expected to
    take. With them the agent can raise the percentage while a phase reports nothing. remaining_s: seconds left.
    epochs_max: the most epochs of the training, or 0. usable: the best usable model so far, or None.
    stages: those that have begun, in order. Traces show them. helpers_wanted: see protocol.messages.Heartbeat.
    """

    progress: Number
    phase: Word
    phase_end: Number
    phase_expected_s: Number
    remaining_s: Number
    epoch: Whole = 0
    metrics: Numbers = {}
    remaining_low_s: Number = -1.0
    remaining_high_s: Number = -1.0
    epochs_max: Whole = 0
    usable: UsableModel | None = None
    stages: Annotated[tuple[StageBegan, ...], Meta(max_length=MAX_STAGES)] = ()
    helpers_wanted: Annotated[int, Meta(ge=0, le=MAX_TASK_WORKERS - 1)] = 0

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "metrics", kept_numbers(self.metrics))


class HelpEnded(Message, frozen=True):
    """Trainer process to agent: the help is over. pictures: how many it has computed. rss_mb: as in Ended."""

    task_id: TaskId
    attempt: Attempt
    pictures: Whole
    rss_mb: Number


class Ended(Message, frozen=True):
    """Trainer process to agent: the attempt is over. rss_mb: the memory that the process still holds."""

    result: Result
    rss_mb: Number


AgentToTrainer = Train | ComputeFeatures | Halt
TrainerToAgent = Ready | Report | Ended | HelpEnded
