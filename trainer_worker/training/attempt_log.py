"""Writes what happens in one attempt into the log of its task, and passes it on to the agent.

The log is read by the person who posted the task, and by everybody who can read the folder. It holds sentences that are
meant for callers, and never a stack trace.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from protocol.artifact import UsableModel
from protocol.data_report import DataReport, Severity
from protocol.epochs import EpochRecord
from protocol.errors import Failure
from protocol.events import iso
from protocol.percent import metrics_in_words
from protocol.pipe_messages import Train
from protocol.sizes import size_in_words
from protocol.task import Trained
from trainer_worker.attempt.job import Epoch, PlannedStage
from trainer_worker.project.task_log import Level, TaskLog
from trainer_worker.training.reporter import PipeReporter

_LEVELS = {Severity.INFO: Level.INFO, Severity.WARNING: Level.WARNING, Severity.ERROR: Level.ERROR}


class AttemptLog:
    """The Reporter (trainer_worker.attempt.job) that a trainer gets."""

    def __init__(self, reporter: PipeReporter, log: TaskLog, order: Train) -> None:
        """reporter: gets everything that is reported here."""
        self._reporter, self._log, self._order = reporter, log, order
        self._began_s = time.monotonic()
        self._stage, self._stage_began_s = "", 0.0
        #: What has been said, because the report on a folder repeats it, and warnings repeat the report.
        self._said: set[str] = set()

    # ---- from beginning to end ----

    def begun(self) -> None:
        spec, attempt = self._order.spec, self._order.attempt
        options = ", ".join(f"{name}={value}" for name, value in spec.options.items()) or "the default options"
        again = " Earlier attempts have not finished the task; what they left is used." if attempt > 1 else ""
        self._log.write(f"Attempt {attempt} begins: {spec.train_type} with {options}.{again}")

    def done(self, trained: Trained) -> None:
        self._leave_stage()
        for warning in trained.warnings:
            self._say(warning, Level.WARNING)
        if of_task := trained.taken_over_from:
            why = "folder and options are the same"
            if of_task == self._order.spec.task_id:
                why = "an earlier attempt had published it"
            self._log.write(f"The model is that of task {of_task}, because {why}.")
        compared = trained.comparison
        if compared is not None:
            self._log.write(compared.sentence, Level.INFO if compared.promoted else Level.WARNING)
        else:
            self._log.write("There was no earlier model to compare with, so models/latest names this one.")
        reason = f" ({trained.end_reason})" if trained.end_reason else ""
        self._end(f"is done{reason}: {metrics_in_words(trained.metrics)}.", Level.INFO)

    def failed(self, failure: Failure) -> None:
        self._leave_stage()
        self._end(f"failed ({failure.code}): {failure.error}", Level.ERROR)

    def cancelled(self) -> None:
        self._leave_stage()
        self._end("was cancelled.", Level.INFO)

    def _end(self, how: str, level: Level) -> None:
        took_s = time.monotonic() - self._began_s
        self._log.write(f"After {took_s:.1f} s, attempt {self._order.attempt} {how}", level, is_end=True)

    # ---- the trainer's side ----

    def plan(self, stages: Sequence[PlannedStage]) -> None:
        self._reporter.plan(stages)

    def enter(self, stage: str) -> None:
        self._leave_stage()
        self._stage, self._stage_began_s = stage, time.monotonic()
        self._log.write(f"Stage {stage} begins.")
        self._reporter.enter(stage)

    def step(self, fraction: float, **metrics: float) -> None:
        self._reporter.step(fraction, **metrics)

    def epoch(self, epoch: Epoch) -> None:
        self._log.epoch(
            EpochRecord(
                attempt=self._order.attempt,
                stage=self._stage,
                part=epoch.part,
                epoch=epoch.number,
                epochs_max=epoch.most,
                at=iso(time.time()),
                metrics=epoch.metrics,
            )
        )
        of_part = f" in {epoch.part}" if epoch.part else ""
        self._log.write(f"Epoch {epoch.number} of {epoch.most}{of_part}: {metrics_in_words(epoch.metrics)}.")
        self._reporter.epoch(epoch)

    def found(self, report: DataReport) -> None:
        split = ", ".join(f"{count} {use}" for use, count in report.split.items())
        folder = f"The folder ({report.layout}): {report.rule} It has {report.pictures} pictures"
        folder += f" ({split})" if split else ""
        self._say(f"{folder}, and {report.skipped} files are skipped.", Level.INFO)
        for finding in report.findings:
            self._say(finding.warning(), _LEVELS[finding.severity])
        self._reporter.found(report)

    def usable(self, model: UsableModel) -> None:
        self._log.write(f"A first model is usable: {model.artifact.name}, {size_in_words(model.artifact.size_bytes)}.")
        self._reporter.usable(model)

    def note(self, sentence: str) -> None:
        self._log.write(sentence)

    def want_helpers(self, count: int) -> None:
        self._reporter.want_helpers(count)

    @property
    def stop_requested(self) -> bool:
        return self._reporter.stop_requested

    def _say(self, sentence: str, level: Level) -> None:
        """Write the sentence, unless this attempt has already said it."""
        if sentence not in self._said:
            self._said.add(sentence)
            self._log.write(sentence, level)

    def _leave_stage(self) -> None:
        if self._stage:
            self._log.write(f"Stage {self._stage} took {time.monotonic() - self._stage_began_s:.3f} s.")
        self._stage = ""
