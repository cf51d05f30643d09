"""Progress of one attempt as the outside sees it: fresh also while the trainer process is silent. Pure.

Some stages are one long call into TensorFlow (an export, a conversion) in which the trainer process can
say nothing, at times not even run another thread. The agent knows what share of the work the stage is and
how long it should take, and moves on towards the stage's end, ever slower, without reaching it.
"""

from __future__ import annotations

from protocol.messages import Progress, Report

#: A task that is being trained never shows more than this; 100.0 means done.
HIGHEST_PERCENT = 99.9

#: Without news for this long, the clock begins to fill in.
SILENCE_S = 0.7

#: How far it may go when it has overtaken the stage's planned end (the plan was too short).
OVERTIME_PERCENT = 0.5

#: The slowest that it moves: in every two seconds a change that is seen after rounding, however long the silence.
LEAST_PERCENT_A_SECOND = 1e-4


class ProgressClock:
    """Feed it reports; ask for the message to publish. Never goes back, and moves at least every two seconds."""

    def __init__(self, task_id: str, attempt: int, now_s: float) -> None:
        self._task_id = task_id
        self._attempt = attempt
        self._report = Report(0.0, "starting", 0.5, 2.0, -1.0)
        self._reported_at_s = now_s
        self._percent = 0.0
        self._moved_at_s = now_s
        self._asked_at_s = now_s
        #: Where the filling-in ends and how far away that was when it began; 0.0 while real news moves us.
        self._span = 0.0
        self._goal = 0.0

    def update(self, report: Report, now_s: float) -> None:
        self._report = report
        self._reported_at_s = now_s

    def begin(self, now_s: float) -> None:
        """The trainer process has the work only now: waiting for it to load was no silence of the training."""
        self._reported_at_s = now_s

    def silent_s(self, now_s: float) -> float:
        """Seconds since the last report. Reports come with steps: slow is not silent."""
        return now_s - self._reported_at_s

    def message(self, now_s: float) -> Progress:
        """Where the attempt is at this time."""
        report = self._report
        if report.progress > self._percent:
            self._percent, self._moved_at_s, self._span = report.progress, now_s, 0.0
        elif now_s - self._moved_at_s > SILENCE_S:
            self._fill_in(now_s - self._asked_at_s)
        self._asked_at_s = now_s
        self._percent = min(self._percent, HIGHEST_PERCENT)
        silent_s = now_s - self._reported_at_s
        etas = (report.remaining_s, report.remaining_low_s, report.remaining_high_s)
        eta_s, low_s, high_s = (max(eta_s - silent_s, 0.0) if eta_s >= 0 else -1.0 for eta_s in etas)
        return Progress(
            self._task_id,
            self._attempt,
            round(self._percent, 4),
            report.phase,
            round(eta_s, 1),
            report.epoch,
            report.metrics,
            report.model_path,
            round(low_s, 1),
            round(high_s, 1),
        )

    def _fill_in(self, passed_s: float) -> None:
        """One step along a hyperbola towards the goal: half of the way in the expected time, then ever slower."""
        if not self._span:
            ahead = self._report.phase_end - self._percent
            # Half of what is left of the scale at most: the least speed must last for the longest silence.
            room = (HIGHEST_PERCENT - self._percent) / 2
            self._span = min(ahead if ahead > 0.01 else OVERTIME_PERCENT, room)
            self._goal = self._percent + self._span
        left = max(self._goal - self._percent, 0.0)
        expected_s = max(self._report.phase_expected_s, 1.0)
        step = left * left / (self._span * expected_s) * min(passed_s, expected_s) if self._span > 0 else 0.0
        self._percent += max(step, LEAST_PERCENT_A_SECOND * passed_s)
