"""The proof that an exported file behaves like the trained model, and the choice of the one to hand out.

Each file is run on the held-out pictures in a process that has only the runtime for it (scoring.py), while the next
one is being written.
"""

from __future__ import annotations

import dataclasses
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from protocol.errors import TrainingError
from protocol.options import EXPORT_FORMATS
from trainer_worker.exporting.formats import FORMATS
from trainer_worker.exporting.scoring import CannotRunError, Outputs, kept_processes

#: A format's score may differ by this much, or by one image where few are held out.
SCORE_TOLERANCE = 5e-3

#: int8 may cost this much of the score; beyond it the file is flagged.
MOST_LOST_BY_INT8 = 0.02

#: How often the caller hears how far the checks are, and can end them.
TELL_EVERY_S = 0.2


@dataclass(frozen=True)
class HeldOut:
    """What every file must reproduce.

    pictures: uint8 (n, S, S, 3), n >= 1. reference: the trained model's outputs (n, ...), probabilities.
    score: from such outputs to the task's measure.
    """

    pictures: npt.NDArray[np.uint8]
    reference: Outputs
    score: Callable[[Outputs], float]

    def __post_init__(self) -> None:
        if not len(self.pictures) or len(self.pictures) != len(self.reference):
            counts = f"{len(self.pictures)} held-out images and {len(self.reference)} reference outputs"
            raise ValueError(f"{counts}; need n >= 1 of both")


@dataclass(frozen=True)
class ExportCheck:
    """How one file behaved on the held-out images, loaded again from disk.

    score: by the caller's measure. max_difference: the largest between any output and the trained model's.
    agreement: share of decisions (class of an image or pixel) that are the same, 0 to 1.
    ms_per_image: of the quickest batch, as other work may have been going on. flagged: why not to use it, or "".
    """

    format: str
    file: str
    size_bytes: int
    score: float
    max_difference: float
    agreement: float
    ms_per_image: float
    flagged: str = ""


@dataclass(frozen=True)
class Unwritten:
    """A format that was asked for and is not there, and why, in words."""

    format: str
    reason: str


@dataclass(frozen=True)
class Exports:
    """What an export has come to."""

    checks: list[ExportCheck]
    unwritten: list[Unwritten]

    def model_file(self) -> str:
        """The file to hand to the user: float32 TFLite, else the one that scores best; never a flagged one."""
        usable = sorted((c for c in self.checks if not c.flagged), key=lambda check: EXPORT_FORMATS.index(check.format))
        if not usable:
            raise TrainingError("export_mismatch", f"{' '.join(self.warnings())} Ask for exports=tflite as well.")
        return max(usable, key=lambda check: (check.format == "tflite", check.score)).file

    def warnings(self) -> list[str]:
        flagged = [f"{check.file}: {check.flagged}" for check in self.checks if check.flagged]
        return [*flagged, *(f"{missing.format} was not exported: {missing.reason}" for missing in self.unwritten)]

    def report(self, trained_model_score: float) -> dict[str, Any]:
        """For manifest.json and metrics.json."""
        return {
            "trained_model_score": trained_model_score,
            "formats": [dataclasses.asdict(check) for check in self.checks],
            "not_written": [dataclasses.asdict(missing) for missing in self.unwritten],
        }


def start_runtimes(formats: Sequence[str], threads: int) -> None:
    """Begin to load TensorFlow, which takes seconds, where a check will need it; the others take a tenth of one."""
    if any(FORMATS[name].runtime == "tensorflow" for name in formats):
        kept_processes(threads).start("tensorflow")


class ExportChecks:
    """`begin` for each file as it is written, then `finish`. A context manager: leaving it ends what still runs."""

    def __init__(self, held_out: HeldOut, threads: int) -> None:
        self._held_out = held_out
        self._processes = kept_processes(threads)
        self._reference_score = float(held_out.score(np.asarray(held_out.reference, np.float32)))
        self._abandoned = threading.Event()
        self._done = 0
        # One at a time: the trainer process keeps the other core busy, and the time of an image is measured.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checks")
        self._checks: list[Future[ExportCheck | Unwritten]] = []

    def __enter__(self) -> ExportChecks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandoned.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def begin(self, name: str, path: Path) -> None:
        """Check the file `path` of the format `name`, behind the caller's back."""
        self._checks.append(self._pool.submit(self._check, name, path))

    def finish(self, on_step: Callable[[float], None], unwritten: Sequence[Unwritten] = ()) -> Exports:
        """Wait for all checks; `unwritten` joins what they found.

        on_step: told the finished fraction; what it raises ends the checks.
        Raises TrainingError export_mismatch, naming the format and by how much, when a float format differs.
        """
        images = max(1, len(self._checks) * len(self._held_out.pictures))
        pending = set(self._checks)
        while pending:
            _, pending = wait(pending, TELL_EVERY_S)
            on_step(min(1.0, self._done / images))
        results = [check.result() for check in self._checks]
        return Exports(
            [result for result in results if isinstance(result, ExportCheck)],
            [*unwritten, *(result for result in results if isinstance(result, Unwritten))],
        )

    def _check(self, name: str, path: Path) -> ExportCheck | Unwritten:
        try:
            outputs, ms_per_image = self._run(path)
            return self._compare(name, path, outputs, ms_per_image)
        except CannotRunError as error:
            if FORMATS[name].max_difference is not None:
                raise TrainingError("export_mismatch", f"The exported {path.name} can't be run: {error}") from error
            _remove(path)
            return Unwritten(name, f"the converted file can't be run: {error}")

    def _run(self, path: Path) -> tuple[Outputs, float]:
        """Outputs for all held-out pictures, and milliseconds an image."""
        outputs, ms_per_image = [], np.inf
        for batch, seconds in self._processes.outputs(path, self._held_out.pictures):
            outputs.append(batch)
            ms_per_image = min(ms_per_image, seconds / len(batch) * 1000)
            self._done += len(batch)
            if self._abandoned.is_set():
                break
        return np.concatenate(outputs), float(ms_per_image)

    def _compare(self, name: str, path: Path, outputs: Outputs, ms_per_image: float) -> ExportCheck:
        reference = np.asarray(self._held_out.reference, np.float32)
        if outputs.shape != reference.shape:
            raise CannotRunError(f"it gives outputs {outputs.shape}, the model {reference.shape}.")
        difference = float(np.abs(outputs - reference).max())
        score = float(self._held_out.score(outputs))
        agreement = float(np.mean(_decisions(outputs) == _decisions(reference)))
        flagged = ""
        allowed = FORMATS[name].max_difference
        if allowed is None:
            flagged = self._loss_in_words(score)
        elif self._differs(difference, allowed, score):
            self._refuse(path, difference, allowed, score, agreement)
        return ExportCheck(name, path.name, _size_bytes(path), score, difference, agreement, ms_per_image, flagged)

    def _loss_in_words(self, score: float) -> str:
        if self._reference_score - score <= MOST_LOST_BY_INT8 + 1e-9:  # NaN is a loss
            return ""
        return (
            f"It scores {score:.4f}, the trained model {self._reference_score:.4f}: rounding to 8 bits costs more than "
            f"{MOST_LOST_BY_INT8:.0%} on the {len(self._held_out.pictures)} held-out images. Use another format."
        )

    def _differs(self, difference: float, allowed: float, score: float) -> bool:
        tolerance = max(SCORE_TOLERANCE, 1 / len(self._held_out.pictures))
        # Put so that NaN, which no comparison accepts, counts as a difference.
        return not (difference <= allowed and abs(score - self._reference_score) <= tolerance)

    def _refuse(self, path: Path, difference: float, allowed: float, score: float, agreement: float) -> None:
        raise TrainingError(
            "export_mismatch",
            f"The exported {path.name} does not behave like the trained model: it scores {score:.4f}, the model "
            f"{self._reference_score:.4f}; outputs differ by up to {difference:.3g} ({allowed:g} is allowed) and "
            f"{agreement:.1%} of the decisions agree. No model was published.",
        )


def _decisions(outputs: Outputs) -> npt.NDArray[Any]:
    """The class of each image or pixel: the likeliest of several, or yes or no from one probability."""
    return outputs.argmax(axis=-1) if outputs.shape[-1] > 1 else outputs >= 0.5


def _size_bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
