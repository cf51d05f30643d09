"""Progress of one attempt as the outside sees it: fresh also while the trainer process is silent. Pure.

Some stages are one long call into TensorFlow (an export, a conversion) in which the trainer process can
say nothing, at times not even run another thread. The agent knows what share of the work the stage is and
how long it should take, and moves on towards the stage's end, ever slower, without reaching it.
"""

from __future__ import annotations

from protocol.messages import Progress, Report

#: A task that is being trained never shows more than this; 100.0 means done.
HIGHEST_PERCENT = 99.9

#: Silence after which the clock begins to fill in.
SILENCE_S = 0.8


class ProgressClock:
    """Feed it reports; ask for the message to publish. Never goes back."""

    def __init__(self, task_id: str, attempt: int, now_s: float) -> None:
        self._task_id = task_id
        self._attempt = attempt
        self._report = Report(0.0, "starting", 0.5, 2.0, -1.0)
        self._reported_at_s = now_s
        self._percent = 0.0

    def update(self, report: Report, now_s: float) -> None:
        self._report = report
        self._reported_at_s = now_s

    def message(self, now_s: float) -> Progress:
        """Where the attempt is at this time."""
        report, silent_s = self._report, now_s - self._reported_at_s
        percent = report.progress
        if silent_s > SILENCE_S:
            # A hyperbola: half of the way when the expected time has passed, and always moving a little.
            share = silent_s / (silent_s + max(report.phase_expected_s, 1.0))
            percent += (report.phase_end - report.progress) * share * 0.95
        self._percent = min(max(self._percent, percent), HIGHEST_PERCENT)
        eta_s = max(report.remaining_s - silent_s, 0.0) if report.remaining_s >= 0 else -1.0
        return Progress(
            self._task_id,
            self._attempt,
            round(self._percent, 4),
            report.phase,
            round(eta_s, 1),
            report.epoch,
            report.metrics,
        )
