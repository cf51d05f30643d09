"""The stages of one training: told to the reporter, and timed for the manifest."""

from __future__ import annotations

import time

from trainer_worker.attempt.job import Reporter


class Stages:
    """`enter` a stage to end the one before; `seconds` holds what each has taken, in order."""

    def __init__(self, reporter: Reporter) -> None:
        self.seconds: dict[str, float] = {}
        self._reporter = reporter
        self._began = time.perf_counter()

    def enter(self, name: str) -> None:
        self.leave()
        self.seconds[name] = 0.0
        self._reporter.enter(name)

    def leave(self) -> None:
        """Note the current stage's seconds so far; it may be called again when more have passed."""
        now = time.perf_counter()
        if self.seconds:
            current = list(self.seconds)[-1]
            self.seconds[current] = round(self.seconds[current] + now - self._began, 3)
        self._began = now
