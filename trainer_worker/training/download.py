"""Shows how far the photos of a project in object storage have come, as the first stage of its training."""

from __future__ import annotations

import time

from protocol.sizes import size_in_words
from trainer_worker.attempt.job import PlannedStage
from trainer_worker.training.reporter import PipeReporter

STAGE = "download"
#: What is expected before anything is measured: bytes a second, and seconds for each file.
_BYTES_A_SECOND, _FILE_S = 20e6, 0.01
#: The plan of the training comes later. Until then, it is expected to take these seconds, and these for each file.
_TRAINING_S, _TRAINING_FILE_S = 30.0, 0.03


class Download:
    """The Watcher of a check-out. reporter: Cancelled comes from it. seconds: what the stage has taken, by its name."""

    def __init__(self, reporter: PipeReporter) -> None:
        self._reporter = reporter
        self._files, self._size_bytes = 0, 0
        self._began_s: float | None = None
        self.seconds: dict[str, float] = {}

    def planned(self, files: int, size_bytes: int) -> None:
        self._files, self._size_bytes = files, size_bytes
        if not files:
            return
        self._began_s = time.monotonic()
        expected_s = size_bytes / _BYTES_A_SECOND + files * _FILE_S
        training_s = _TRAINING_S + files * _TRAINING_FILE_S
        self._reporter.plan([PlannedStage(STAGE, expected_s), PlannedStage("training", training_s)])
        self._reporter.enter(STAGE)

    def step(self, done_bytes: int) -> None:
        if self._began_s is None:
            self._reporter.step(0.0)
        else:
            done = done_bytes / self._size_bytes if self._size_bytes else 1.0
            self._reporter.step(done, bytes_done=done_bytes, bytes_total=self._size_bytes)

    def ended(self) -> str:
        """What has come, for the log of the task; "" if nothing had to. Later plans begin here."""
        if self._began_s is None:
            return ""
        took_s = time.monotonic() - self._began_s
        self.seconds = {STAGE: round(took_s, 3)}
        self._reporter.settle()
        size = size_in_words(self._size_bytes)
        return f"{self._files} files with {size} have come from object storage in {took_s:.1f} s."
