"""The Reporter of a process that helps another worker: it counts pictures, and passes on the order to end."""

from __future__ import annotations

from trainer_worker.attempt.job import CancelOrder, SilentReporter


class HelpReporter(SilentReporter):
    def __init__(self) -> None:
        self.pictures = 0
        self.cancel = CancelOrder()

    def halt(self, keep: bool) -> None:
        """End the help at the next picture. Called from the pipe's thread. keep: means nothing for a helper."""
        self.cancel.give()

    def step(self, fraction: float, **metrics: float) -> None:
        self.pictures = int(metrics.get("pictures", self.pictures))
        self.cancel.obey()
