"""The progress of one attempt as it is published. It keeps moving while the trainer process is silent. Pure.

Some stages are one long call into TensorFlow (an export, a conversion). The trainer process cannot report during such
a call, and at times cannot even run another thread. The agent knows the stage's share of the work and its expected
duration. It moves the percentage towards the end of the stage, ever slower, without reaching it.
"""

from __future__ import annotations

from protocol.messages import Progress
from protocol.pipe_messages import Report

#: A task that is being trained never shows more than this, because 100.0 means done.
HIGHEST_PERCENT = 99.9

#: After this long without an advance, the clock begins to move the percentage by itself.
SILENCE_S = 0.7

#: How far it may move past the planned end of a stage that takes longer than planned.
OVERTIME_PERCENT = 0.5

#: The slowest that it moves. Even rounded, the percentage changes every two seconds, however long the silence lasts.
LEAST_PERCENT_A_SECOND = 1e-4


class ProgressClock:
    """Takes reports and makes the message to publish. The percentage never goes back, and never stands for long."""

    def __init__(self, task_id: str, attempt: int, now_s: float) -> None:
        self._task_id = task_id
        self._attempt = attempt
        self._report = Report(0.0, "starting", 0.5, 2.0, -1.0)
        self._reported_at_s = now_s
        self._percent = 0.0
        self._moved_at_s = now_s
        self._asked_at_s = now_s
        #: How far away the goal was when the clock began to move the percentage; 0.0 while reports move it.
        self._span = 0.0
        self._goal = 0.0
        #: How many other workers help the attempt.
        self.helpers = 0

    def update(self, report: Report, now_s: float) -> None:
        self._report = report
        self._reported_at_s = now_s

    def begin(self, now_s: float) -> None:
        """Note that the trainer process has the work from now on. The wait for it to load does not count as silence."""
        self._reported_at_s = now_s

    def silent_s(self, now_s: float) -> float:
        """Seconds since the last report. Every step reports, so a slow training is not a silent one."""
        return now_s - self._reported_at_s

    def message(self, now_s: float) -> Progress:
        """The message that says where the attempt is at this time."""
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
            round(low_s, 1),
            round(high_s, 1),
            report.epochs_max,
            report.usable,
            self.helpers,
        )

    def _fill_in(self, passed_s: float) -> None:
        """Move along a hyperbola towards the goal: half of the way in the expected time, then ever slower."""
        if not self._span:
            ahead = self._report.phase_end - self._percent
            # At most half of the remaining scale, which leaves room to move slowly through the longest silence.
            room = (HIGHEST_PERCENT - self._percent) / 2
            self._span = min(ahead if ahead > 0.01 else OVERTIME_PERCENT, room)
            self._goal = self._percent + self._span
        left = max(self._goal - self._percent, 0.0)
        expected_s = max(self._report.phase_expected_s, 1.0)
        step = left * left / (self._span * expected_s) * min(passed_s, expected_s) if self._span > 0 else 0.0
        self._percent += max(step, LEAST_PERCENT_A_SECOND * passed_s)
