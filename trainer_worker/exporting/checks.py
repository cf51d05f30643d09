"""Checks that each exported file behaves like the trained model, and chooses the one to hand out.

A file is run on the held-out pictures, in a process that has only the runtime for it (scoring.py). Meanwhile the next
file is being written, and processes of other runtimes may load theirs.
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
from protocol.percent import in_percent
from protocol.sizes import size_in_words
from trainer_worker.exporting.formats import FORMATS
from trainer_worker.exporting.scoring import CannotRunError, Outputs, kept_processes

#: A file's score may differ from the model's by this much, or by one image if few images are held out.
SCORE_TOLERANCE = 5e-3

#: An int8 file that loses more than this of the score is flagged (docs/choices.md, "Tolerances of the exported files").
MOST_LOST_BY_INT8 = 0.02

#: How often the caller is informed of the progress, and can end the checks.
TELL_EVERY_S = 0.2


@dataclass(frozen=True)
class HeldOut:
    """The held-out pictures and the outputs that every file must reproduce on them.

    pictures: uint8 (n, S, S, 3), n >= 1. reference: the trained model's outputs (n, ...), probabilities.
    score: computes a score of the task from such outputs. score_name: what it is called wherever it is told. It is the
    name of the model's headline only if it is the same number (docs/results.md, "Names of scores").
    """

    pictures: npt.NDArray[np.uint8]
    reference: Outputs
    score: Callable[[Outputs], float]
    score_name: str

    def __post_init__(self) -> None:
        if not len(self.pictures) or len(self.pictures) != len(self.reference):
            counts = f"{len(self.pictures)} held-out images and {len(self.reference)} reference outputs"
            raise ValueError(f"{counts}; need n >= 1 of both")


@dataclass(frozen=True)
class ExportCheck:
    """The results of one file, loaded again from disk, on the held-out pictures.

    score: see HeldOut.score. max_difference: the largest difference between an output and the trained model's.
    agreement: the share of decisions (class of an image or pixel) that are the same, 0 to 1.
    ms_per_image: in the quickest batch, because other work may slow down the rest. flagged: why not to use the file,
    or "".
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
    """A requested format that could not be written, and the reason."""

    format: str
    reason: str


@dataclass(frozen=True)
class Exports:
    """The result of an export: the checks of the files, and the formats that could not be written.

    score_name, trained_model_score, pictures: the score of the trained model, which every file should reach, and the
    number of pictures that it comes from.
    """

    checks: list[ExportCheck]
    unwritten: list[Unwritten]
    score_name: str
    trained_model_score: float
    pictures: int

    def model_file(self) -> str:
        """The file to hand to the user: float32 TFLite, or else the one with the best score; never a flagged one."""
        usable = sorted((c for c in self.checks if not c.flagged), key=lambda check: EXPORT_FORMATS.index(check.format))
        if not usable:
            raise TrainingError("export_mismatch", f"{' '.join(self.warnings())} Ask for exports=tflite as well.")
        return max(usable, key=lambda check: (check.format == "tflite", check.score)).file

    def warnings(self) -> list[str]:
        flagged = [f"{check.file}: {check.flagged}" for check in self.checks if check.flagged]
        return [*flagged, *(f"{missing.format} was not exported: {missing.reason}" for missing in self.unwritten)]

    def sentences(self) -> list[str]:
        """How the files have done, for the log of the task."""
        return [
            f"{check.file}: {size_in_words(check.size_bytes)}, {self.score_name} {in_percent(check.score)} on "
            f"{self.pictures} held-out pictures; that of the trained model is {in_percent(self.trained_model_score)}."
            for check in self.checks
        ]

    def report(self) -> dict[str, Any]:
        """For manifest.json and metrics.json."""
        return {
            "score_name": self.score_name,
            "trained_model_score": self.trained_model_score,
            "pictures": self.pictures,
            "formats": [dataclasses.asdict(check) for check in self.checks],
            "not_written": [dataclasses.asdict(missing) for missing in self.unwritten],
        }


def start_runtimes(formats: Sequence[str], threads: int) -> None:
    """Begin to load TensorFlow, which takes seconds, if a check will need it. The other runtimes load quickly."""
    if any(FORMATS[name].runtime == "tensorflow" for name in formats):
        kept_processes(threads).start("tensorflow")


class ExportChecks:
    """Call `begin` for each file when it is written, then `finish`. Leaving the context ends checks that still run."""

    def __init__(self, held_out: HeldOut, threads: int, any_may_fail: bool = False) -> None:
        """any_may_fail: leave out each file that does not behave like the model, see ModelToExport."""
        self._held_out = held_out
        self._any_may_fail = any_may_fail
        self._processes = kept_processes(threads)
        self._reference_score = float(held_out.score(np.asarray(held_out.reference, np.float32)))
        self._abandoned = threading.Event()
        #: How many pictures each finished batch had.
        self._done: list[int] = []
        #: One for each runtime, because its process has one file at a time (see ScoringProcesses).
        self._threads = {row.runtime: ThreadPoolExecutor(1, f"checks-{row.runtime}") for row in FORMATS.values()}
        self._checks: list[Future[ExportCheck | Unwritten]] = []

    def __enter__(self) -> ExportChecks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandoned.set()
        for is_waiting in (False, True):  # no check may begin while this waits for another one
            for thread in self._threads.values():
                thread.shutdown(wait=is_waiting, cancel_futures=True)

    def begin(self, name: str, path: Path) -> None:
        """Check the file `path` of the format `name` in the background, after those of the same runtime."""
        self._checks.append(self._threads[FORMATS[name].runtime].submit(self._check, name, path))

    def finish(self, on_step: Callable[[float], None], unwritten: Sequence[Unwritten] = ()) -> Exports:
        """Wait for all checks. unwritten: formats to list in the result besides those whose check failed.

        on_step: called with the finished fraction; an exception from it ends the checks.
        Raises TrainingError export_mismatch, with the format and the difference, when a float format differs.
        """
        images = max(1, len(self._checks) * len(self._held_out.pictures))
        pending = set(self._checks)
        while pending:
            _, pending = wait(pending, TELL_EVERY_S)
            on_step(min(1.0, sum(self._done) / images))
        results = [check.result() for check in self._checks]
        return Exports(
            [result for result in results if isinstance(result, ExportCheck)],
            [*unwritten, *(result for result in results if isinstance(result, Unwritten))],
            self._held_out.score_name,
            self._reference_score,
            len(self._held_out.pictures),
        )

    def _check(self, name: str, path: Path) -> ExportCheck | Unwritten:
        try:
            outputs, ms_per_image = self._run(path)
            return self._compare(name, path, outputs, ms_per_image)
        except CannotRunError as error:
            if FORMATS[name].max_difference is not None and not self._any_may_fail:
                raise TrainingError("export_mismatch", f"The exported {path.name} can't be run: {error}") from error
            remove_export(path)
            return Unwritten(name, f"the converted file can't be run: {error}")

    def _run(self, path: Path) -> tuple[Outputs, float]:
        """Outputs for all held-out pictures, and milliseconds per image."""
        outputs, ms_per_image = [], np.inf
        for batch, seconds in self._processes.outputs(path, self._held_out.pictures):
            outputs.append(batch)
            ms_per_image = min(ms_per_image, seconds / len(batch) * 1000)
            self._done.append(len(batch))
            if self._abandoned.is_set():
                break
        return np.concatenate(outputs), float(ms_per_image)

    def _compare(self, name: str, path: Path, outputs: Outputs, ms_per_image: float) -> ExportCheck | Unwritten:
        reference = np.asarray(self._held_out.reference, np.float32)
        if outputs.shape != reference.shape:
            raise CannotRunError(f"its outputs have the shape {outputs.shape}, the model's {reference.shape}.")
        difference = float(np.abs(outputs - reference).max())
        score = float(self._held_out.score(outputs))
        agreement = float(np.mean(_decisions(outputs) == _decisions(reference)))
        flagged = ""
        allowed = FORMATS[name].max_difference
        if allowed is None:
            flagged = self._loss_in_words(score)
        elif self._differs(difference, allowed, score):
            words = self._difference_in_words(difference, allowed, score, agreement)
            if not self._any_may_fail:
                raise TrainingError("export_mismatch", f"The exported {path.name} {words}. No model was published.")
            remove_export(path)
            return Unwritten(name, f"the converted file {words}")
        return ExportCheck(name, path.name, _size_bytes(path), score, difference, agreement, ms_per_image, flagged)

    def _loss_in_words(self, score: float) -> str:
        if self._reference_score - score <= MOST_LOST_BY_INT8 + 1e-9:  # false for NaN, which is then flagged
            return ""
        return (
            f"It scores {in_percent(score)}, the trained model {in_percent(self._reference_score)}: rounding to 8 bits "
            f"costs more than {100 * MOST_LOST_BY_INT8:.0f} percentage points on the {len(self._held_out.pictures)} "
            "held-out images. Use another format."
        )

    def _differs(self, difference: float, allowed: float, score: float) -> bool:
        tolerance = max(SCORE_TOLERANCE, 1 / len(self._held_out.pictures))
        # Written so that NaN, for which every comparison is false, counts as a difference.
        return not (difference <= allowed and abs(score - self._reference_score) <= tolerance)

    def _difference_in_words(self, difference: float, allowed: float, score: float, agreement: float) -> str:
        return (
            f"does not behave like the trained model: it scores {in_percent(score)}, the model "
            f"{in_percent(self._reference_score)}; outputs differ by up to {difference:.3g} ({allowed:g} is allowed) "
            f"and {in_percent(agreement)} of the decisions agree"
        )


def _decisions(outputs: Outputs) -> npt.NDArray[Any]:
    """The class of each image or pixel: the most probable one, or yes or no if there is one probability."""
    return outputs.argmax(axis=-1) if outputs.shape[-1] > 1 else outputs >= 0.5


def _size_bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def remove_export(path: Path) -> None:
    """Remove the file or folder of a format that is left out."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
