"""What a trainer is asked for, whom it reports to, and what it gives back."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from protocol.artifact import Artifact, UsableModel
from protocol.comparison import Comparison
from protocol.data_report import DataReport
from protocol.end_reason import EndReason
from protocol.options import TrainingOptions
from trainer_worker.attempt.local_weights import LocalWeights
from trainer_worker.pictures.decoding_budget import DEFAULT_BYTES
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.project.checkpoints import Checkpoints
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.gate import Gate
from trainer_worker.project.models import manifest_of
from trainer_worker.project.retention import checkpoints_of

#: The default of [worker] share_above_pictures (docs/choices.md, "Helpers, not parts of a task").
SHARE_ABOVE_PICTURES = 5000


@dataclass(frozen=True)
class Job:
    """What one attempt at one task is to do, and in which folder.

    project: the user's folder. Only through it are models/ and .tfmodel/ reached.
    fingerprint: says what the folder holds and what was asked for; the manifest keeps it (see project/unchanged.py).
    weights: those of a backbone that does not come with a package (see backbones/weights_files.py), or of a network of
    the operator's own (see backbones/own_folder.py).
    work_dir: where models are written and checked; None for the system's temporary folder (see work_folder.py).
    decoding_bytes: the memory that all threads together may take for decoding pictures.
    share_above_pictures: a folder with more pictures than this is worth the help of other workers.
    unpacked: what the project's archives were unpacked to, if they stand in place of pictures (unpacked_archives.py).
    """

    task_id: str
    attempt: int
    project: ProjectFolder
    train_type: str
    options: TrainingOptions
    fingerprint: str = ""
    weights: LocalWeights | None = None
    work_dir: Path | None = None
    decoding_bytes: int = DEFAULT_BYTES
    share_above_pictures: int = SHARE_ABOVE_PICTURES
    unpacked: UserFiles | None = None

    @property
    def project_dir(self) -> Path:
        """The user's folder."""
        return self.project.path

    @property
    def files(self) -> UserFiles:
        """The files to train on: those of the user's folder, or what its archives were unpacked to."""
        return self.unpacked or self.project.files

    @property
    def checkpoints(self) -> Checkpoints:
        """What this task's earlier attempts have left to continue from."""
        return checkpoints_of(self.project, self.task_id)

    @property
    def gate(self) -> Gate:
        """Decides whether this task's model is the one to use from now on."""
        return Gate(self.project, self.train_type, always=self.options.promote == "always")

    @property
    def has_model(self) -> bool:
        """Whether this task has published a model already, interim or final."""
        return manifest_of(self.project, self.task_id) is not None


@dataclass(frozen=True)
class PlannedStage:
    """A stage of the training in a trainer's plan.

    expected_s: the seconds that it should take. The progress of a task is the share of the plan's seconds that is done.
    """

    name: str
    expected_s: float


@dataclass(frozen=True)
class Epoch:
    """An epoch that has ended. metrics: those at its end.

    number: counted from 1. most: how many epochs the training has if nothing ends it early.
    part: the name of the part of the stage that this training is, see Attempt.part; "" if it is the whole stage.
    """

    number: int
    most: int
    metrics: dict[str, float]
    part: str = ""


class Cancelled(Exception):  # noqa: N818 - an order that unwinds the trainer, not an error
    """Raised by `Reporter.step` when the task has been cancelled. A trainer does not catch it."""


class CancelOrder:
    """Whether an attempt has been cancelled. Any thread may ask, and what is kept from task to task may hold it."""

    def __init__(self) -> None:
        self._given = threading.Event()

    def give(self) -> None:
        self._given.set()

    def obey(self) -> None:
        """Raise Cancelled if the order has been given."""
        if self._given.is_set():
            raise Cancelled


class Reporter(Protocol):
    """Hears from a trainer how far it is. No call blocks, and only `step` raises.

    A trainer calls `plan` once it knows how much work there is, and again if that changes; progress never goes back.
    Then it calls `enter` for each stage and `step` after every batch.
    """

    def plan(self, stages: Sequence[PlannedStage]) -> None: ...

    def enter(self, stage: str) -> None:
        """Begin the stage of that name. All earlier stages of the plan count as finished."""

    def step(self, fraction: float, **metrics: float) -> None:
        """`fraction` (0.0 to 1.0) of the current stage is done. Raises Cancelled when the task was cancelled."""

    def epoch(self, epoch: Epoch) -> None:
        """An epoch has ended."""

    def found(self, report: DataReport) -> None:
        """What is known of the folder so far. The newest report is part of the answer, also if the training fails."""

    def usable(self, model: UsableModel) -> None:
        """An interim model has been checked and published. A better one will replace it."""

    def note(self, sentence: str) -> None:
        """A sentence for the log of the task, which the person who posted it reads."""

    def want_helpers(self, count: int) -> None:
        """The current stage could use the help of that many other workers. The next stage begins with none."""

    @property
    def stop_requested(self) -> bool:
        """Whether the caller has asked to stop early and to keep what was learned so far. Ask before every batch."""


class SilentReporter:
    """A Reporter that does nothing. Benchmarks and tests override the methods that they look at."""

    def plan(self, stages: Sequence[PlannedStage]) -> None: ...

    def enter(self, stage: str) -> None: ...

    def step(self, fraction: float, **metrics: float) -> None: ...

    def epoch(self, epoch: Epoch) -> None: ...

    def found(self, report: DataReport) -> None: ...

    def usable(self, model: UsableModel) -> None: ...

    def note(self, sentence: str) -> None: ...

    def want_helpers(self, count: int) -> None: ...

    @property
    def stop_requested(self) -> bool:
        return False


class PartOfStage(SilentReporter):
    """Passes on what a training reports that is a part of a stage, from `begin` to `end` of it (0 to 1)."""

    def __init__(self, whole: Reporter, name: str, begin: float, end: float) -> None:
        self._whole, self._name, self._begin, self._end = whole, name, begin, end

    def step(self, fraction: float, **metrics: float) -> None:
        self._whole.step(self._begin + min(1.0, fraction) * (self._end - self._begin))

    def epoch(self, epoch: Epoch) -> None:
        self._whole.epoch(replace(epoch, part=self._name))

    def note(self, sentence: str) -> None:
        self._whole.note(sentence)

    @property
    def stop_requested(self) -> bool:
        return self._whole.stop_requested


@dataclass(frozen=True)
class TrainingResult:
    """What a finished training says of itself. Its files are in place when it is returned.

    model_path: the file that the website hands to its user: absolute, inside models/<taskId>/.
    metrics: the headline numbers as plain Python floats, for example {"accuracy": 0.93, "images": 1100}.
    stage_seconds: seconds of each stage, in order. warnings: what the person with the pictures should read.
    epochs: the number of epochs that were trained. comparison: with the model that was in use before.
    artifacts: the files of the model's folder.
    """

    model_path: Path
    metrics: dict[str, float]
    stage_seconds: dict[str, float] = field(default_factory=dict)
    end_reason: EndReason = EndReason.UNKNOWN
    warnings: Sequence[str] = ()
    epochs: int = 0
    comparison: Comparison | None = None
    artifacts: Sequence[Artifact] = ()
