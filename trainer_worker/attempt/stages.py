"""The stages of one training: their names, and the seconds that they took."""

from __future__ import annotations

import time

from trainer_worker.attempt.job import Reporter


def stage_name(name: str, interim: bool) -> str:
    """The name that callers see. The stages that make an interim model have names of their own."""
    return f"first_{name}" if interim else name


class Stages:
    """Times the stages of a training. `enter` ends the stage before. seconds: what each stage has taken, in order."""

    def __init__(self, reporter: Reporter) -> None:
        self.seconds: dict[str, float] = {}
        self._reporter = reporter
        self._began = time.perf_counter()

    def enter(self, name: str) -> None:
        self.leave()
        self.seconds[name] = 0.0
        self._reporter.enter(name)

    def leave(self) -> None:
        """Add the seconds since `enter` or the last `leave` to the current stage."""
        now = time.perf_counter()
        if self.seconds:
            current = list(self.seconds)[-1]
            self.seconds[current] = round(self.seconds[current] + now - self._began, 3)
        self._began = now
