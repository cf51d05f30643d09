"""Sends a trainer's progress out of its process, without ever blocking or breaking the trainer.

One slot holds the newest report, and a thread sends it at most four times a second. A report may be overwritten before
it is sent: each one holds absolute values, so nothing is lost.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence

from protocol.artifact import UsableModel
from protocol.data_report import DataReport
from protocol.pipe_messages import MAX_STAGES, Report, StageBegan
from trainer_worker.attempt.job import CancelOrder, Epoch, PlannedStage

REPORT_INTERVAL_S = 0.25
#: A range is widened by this share and by REPORT_INTERVAL_S. It was learned from whole tasks, but the stages that are
#: left may be further off than a whole task (docs/choices.md, "Ranges of the remaining time").
LEAST_MARGIN = 0.05

#: The stages of a plan share this part of the percent scale. The rest is for what follows the trainer's last stage.
PLAN_PERCENT = 99.5
#: A task that is stopped by its time budget ends at this share of the budget: at the earliest, most likely, and at the
#: latest (docs/choices.md, "End of a time budget").
ENDS_AT_BUDGET = (0.8, 0.95, 1.1)


class PipeReporter:
    """The Reporter (trainer_worker.attempt.job) of one attempt. Use as a context manager: leaving ends the thread."""

    def __init__(
        self, send: Callable[[Report], None], pace: tuple[float, float] = (1.0, 1.0), budget_s: float = math.inf
    ) -> None:
        """send: puts a report into the pipe. An OSError from it ends the sending, because the agent is gone.

        pace: the lowest and highest multiple of the planned time that a task takes here (see Pace.factors).
        budget_s: the task's time budget.
        """
        self._send = send
        self._pace = pace
        #: When the attempt began, in monotonic seconds.
        self.began_s = time.monotonic()
        self._budget_s = budget_s
        self._stages: list[PlannedStage] = [PlannedStage("starting", 1.0)]
        self._index = 0
        self._entered: tuple[StageBegan, ...] = (StageBegan("starting", time.time()),)
        self._stage_began_s = time.monotonic()
        self._fraction = 0.0
        self._floor_percent = 0.0
        #: Where the percent scale of the plan begins, and when its seconds do.
        self._base_percent = 0.0
        self._planned_from_s = self.began_s
        self._epoch, self._epochs_max = 0, 0
        self._metrics: dict[str, float] = {}
        self._usable: UsableModel | None = None
        self._helpers_wanted = 0
        self.data_report = DataReport()
        self.cancel = CancelOrder()
        self._stop = threading.Event()
        self._wake = threading.Condition()
        self._slot: Report | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._send_loop, name="reporter", daemon=True)

    def __enter__(self) -> PipeReporter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join(timeout=2.0)

    # ---- orders, called from the pipe's thread ----

    def halt(self, keep: bool) -> None:
        """Stop early (keep) or cancel; takes effect at the trainer's next batch."""
        if keep:
            self._stop.set()
        else:
            self.cancel.give()

    # ---- the trainer's side ----

    def plan(self, stages: Sequence[PlannedStage]) -> None:
        current = self._stages[self._index].name
        self._stages = list(stages)
        self._index = next((i for i, stage in enumerate(stages) if stage.name == current), 0)
        self._put()

    def settle(self) -> None:
        """Later plans share what is left of the percent scale. What was planned so far says nothing of them."""
        self._base_percent = self._floor_percent
        self._planned_from_s = time.monotonic()
        self._stages, self._index, self._fraction = [PlannedStage("starting", 1.0)], 0, 0.0
        self._metrics = {}
        self._put()

    def enter(self, stage: str) -> None:
        self._index = next(i for i, planned in enumerate(self._stages) if planned.name == stage)
        self._fraction, self._epochs_max, self._helpers_wanted = 0.0, 0, 0
        self._stage_began_s = time.monotonic()
        self._entered = (*self._entered, StageBegan(stage, time.time()))[:MAX_STAGES]
        self.step(0.0)

    def step(self, fraction: float, **metrics: float) -> None:
        self.cancel.obey()
        self._fraction = min(max(float(fraction), 0.0), 1.0)
        if metrics:
            self._metrics = {**self._metrics, **_floats(metrics)}
        self._put()

    def epoch(self, epoch: Epoch) -> None:
        if not epoch.part:  # the epochs of parts begin anew again and again
            self._epoch, self._epochs_max = epoch.number, epoch.most
            self._metrics = _floats(epoch.metrics)
        self._put()

    def found(self, report: DataReport) -> None:
        self.data_report = report

    def usable(self, model: UsableModel) -> None:
        self._usable = model
        self._put()

    def note(self, sentence: str) -> None:
        """Notes are for the log (see AttemptLog)."""

    def want_helpers(self, count: int) -> None:
        self._helpers_wanted = count
        self._put()

    @property
    def stop_requested(self) -> bool:
        return self._stop.is_set()

    # ---- looking back ----

    @property
    def seconds(self) -> tuple[float, float]:
        """(seconds since the plan began, seconds planned for all of it)."""
        return time.monotonic() - self._planned_from_s, sum(stage.expected_s for stage in self._stages)

    # ---- the slot ----

    def _put(self) -> None:
        total_s = sum(stage.expected_s for stage in self._stages) or 1.0
        stage = self._stages[self._index]
        done_s = sum(earlier.expected_s for earlier in self._stages[: self._index])
        scale = (PLAN_PERCENT - self._base_percent) / total_s
        percent = self._base_percent + scale * (done_s + stage.expected_s * self._fraction)
        stage_end = self._base_percent + scale * (done_s + stage.expected_s)
        self._floor_percent = max(self._floor_percent, percent)
        planned_s = self._remaining_s(stage)
        passed_s = time.monotonic() - self.began_s
        earliest_s, likeliest_s, latest_s = (max(0.0, at * self._budget_s - passed_s) for at in ENDS_AT_BUDGET)
        low, high = self._pace
        low_s = max(0.0, planned_s * low * (1.0 - LEAST_MARGIN) - REPORT_INTERVAL_S)
        high_s = planned_s * high * (1.0 + LEAST_MARGIN) + REPORT_INTERVAL_S
        report = Report(
            progress=self._floor_percent,
            phase=stage.name,
            phase_end=max(stage_end, self._floor_percent),
            phase_expected_s=stage.expected_s * (1.0 - self._fraction),
            remaining_s=min(likeliest_s, planned_s),
            remaining_low_s=min(earliest_s, low_s),
            remaining_high_s=min(latest_s, high_s),
            epoch=self._epoch,
            metrics=self._metrics,
            epochs_max=self._epochs_max,
            usable=self._usable,
            stages=self._entered,
            helpers_wanted=self._helpers_wanted,
        )
        with self._wake:
            self._slot = report
            self._wake.notify()

    def _remaining_s(self, stage: PlannedStage) -> float:
        """The rest of this stage at its own pace, plus the planned time of the later stages."""
        later_s = sum(planned.expected_s for planned in self._stages[self._index + 1 :])
        left_s = stage.expected_s * (1.0 - self._fraction)
        if self._fraction > 0.1:
            ran_s = time.monotonic() - self._stage_began_s
            left_s = ran_s * (1.0 - self._fraction) / self._fraction
        return left_s + later_s

    def _send_loop(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._slot is not None or self._closed)
                report, self._slot = self._slot, None
                if report is None:
                    return
            try:
                self._send(report)
            except OSError:
                return
            with self._wake:  # At the end, what came meanwhile is sent at once.
                self._wake.wait_for(lambda: self._closed, timeout=REPORT_INTERVAL_S)


def _floats(metrics: dict[str, float]) -> dict[str, float]:
    """The metrics as plain floats, because numpy's cannot be packed."""
    return {name: float(value) for name, value in metrics.items()}
