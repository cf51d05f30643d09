"""What a trainer gets and what it gives back: the whole contract between child.py and the trainers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from protocol.end_reason import EndReason
from protocol.options import TrainingOptions
from trainer_worker.pictures.decoding_budget import DEFAULT_BYTES
from trainer_worker.project.checkpoints import Checkpoints
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.models import manifest_of
from trainer_worker.project.retention import checkpoints_of


@dataclass(frozen=True)
class Job:
    """One attempt at one task, as the trainer sees it.

    project: the user's folder; models/ and .tfmodel/ are reached through it only. fingerprint: for the manifest, see
    unchanged.py. weights_file: of a backbone that needs one, see weights_files.py. work_dir: where models are made and
    checked, see work_folder.py. decoding_bytes: what all threads together may take for decoding pictures. unpacked:
    where the project's archives were unpacked, see unpacked_archives.py.
    """

    task_id: str
    attempt: int
    project: ProjectFolder
    train_type: str
    options: TrainingOptions
    fingerprint: str = ""
    weights_file: Path | None = None
    work_dir: Path | None = None
    decoding_bytes: int = DEFAULT_BYTES
    unpacked: Path | None = None

    @property
    def project_dir(self) -> Path:
        """The user's folder."""
        return self.project.path

    @property
    def pictures_dir(self) -> Path:
        """Where the pictures lie: the user's folder, or what its archives were unpacked to."""
        return self.unpacked or self.project.path

    @property
    def checkpoints(self) -> Checkpoints:
        """Where this task's earlier attempts left off."""
        return checkpoints_of(self.project, self.task_id)

    @property
    def has_model(self) -> bool:
        """Whether this task has published a model already, be it an interim one."""
        return manifest_of(self.project, self.task_id) is not None


@dataclass(frozen=True)
class Phase:
    """A stage of the work in a trainer's plan.

    expected_s: seconds it should take on this machine; its share of the plan is its share of the progress.
    """

    name: str
    expected_s: float


class Cancelled(Exception):  # noqa: N818 - an order that unwinds the trainer, not an error
    """Raised out of `Reporter.step` when the task was cancelled; a trainer lets it pass through."""


class Reporter(Protocol):
    """How a trainer tells where it is. No call blocks, and none raises but `step`, for a cancel.

    Call `plan` once the size of the work is known (again when it changes: progress never goes back),
    then for each phase `enter`, and `step` at every batch.
    """

    def plan(self, phases: Sequence[Phase]) -> None: ...

    def enter(self, phase: str) -> None:
        """Begin the phase of that name; all earlier phases of the plan count as finished."""

    def step(self, fraction: float, **metrics: float) -> None:
        """`fraction` (0.0 to 1.0) of the current phase is done. Raises Cancelled when the task was cancelled."""

    def epoch(self, number: int, metrics: dict[str, float]) -> None:
        """Epoch `number` (from 1) ended with these metrics."""

    def usable(self, model_path: Path) -> None:
        """A first model is checked and published there; a better one will replace it."""

    @property
    def stop_requested(self) -> bool:
        """True once the caller asked to stop early and keep the best model so far; checked at every batch."""


class SilentReporter:
    """A Reporter that does nothing. Benchmarks and tests override the methods that they look at."""

    def plan(self, phases: Sequence[Phase]) -> None: ...

    def enter(self, phase: str) -> None: ...

    def step(self, fraction: float, **metrics: float) -> None: ...

    def epoch(self, number: int, metrics: dict[str, float]) -> None: ...

    def usable(self, model_path: Path) -> None: ...

    @property
    def stop_requested(self) -> bool:
        return False


@dataclass(frozen=True)
class TrainingResult:
    """What a finished training says of itself; the files are already in place when it is returned.

    model_path: the file that the website hands to its user (absolute, inside models/<taskId>/).
    metrics: headline numbers, plain Python floats, for example {"accuracy": 0.93, "images": 1100}.
    stage_seconds: seconds per phase, in order.
    """

    model_path: Path
    metrics: dict[str, float]
    stage_seconds: dict[str, float] = field(default_factory=dict)
    end_reason: EndReason = EndReason.UNKNOWN
    details: dict[str, Any] = field(default_factory=dict)
