"""One attempt at one task, as a trainer gets it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import msgspec

from protocol.data_report import DataReport, Finding, gravest_first
from trainer_worker.attempt.job import Job, PartOfStage, Reporter
from trainer_worker.attempt.stages import Stages
from trainer_worker.attempt.time_budget import TimeBudget


class Attempt:
    """What a trainer is to do, whom it reports to, and what it may use.

    job: what was asked for, with the project's folder. checkpoints: what earlier attempts left to continue from.
    reporter: hears how far the training is. stages: times the stages and tells the reporter of them.
    budget: the caller's time budget.
    cache_dir: where a trainer may keep files from task to task, such as a converted backbone.
    threads: how many threads decode pictures, compute features and check the exports.
    """

    def __init__(
        self, job: Job, reporter: Reporter, cache_dir: Path, threads: int, began_s: float | None = None
    ) -> None:
        """began_s: when the time budget began, in monotonic seconds; by default it begins now."""
        self.job = job
        self.reporter = reporter
        self.cache_dir = cache_dir
        self.threads = threads
        self.checkpoints = job.checkpoints
        self.stages = Stages(reporter)
        self.budget = TimeBudget(job.options.time_budget, began_s=began_s)
        self.data_report = DataReport()
        #: What trained weights depend on besides pictures and options. A trainer sets it. EpochLoop continues only from
        #: a checkpoint with the same value, because another worker may have another network of the same name.
        self.learns_from = ""
        #: What has changed in the folder since its last model; part of every report.
        self.news: Sequence[Finding] = ()

    def found(self, report: DataReport) -> None:
        """Keep the report on the folder for the model's records and for the answer. The newest one counts."""
        found = gravest_first([*self.news, *report.findings])
        self.data_report = msgspec.structs.replace(report, findings=found)
        self.reporter.found(self.data_report)

    def also_found(self, findings: Sequence[Finding]) -> None:
        """Add findings to the report on the folder."""
        if findings:
            self.data_report = self.data_report.with_findings(findings)
            self.reporter.found(self.data_report)

    def part(self, name: str, begin: float, end: float) -> Attempt:
        """This attempt as a training sees it that is a part of the current stage, from `begin` to `end` (0 to 1).

        Its epochs are told as those of the part, and its checkpoints lie in a folder of that name.
        """
        part = copy.copy(self)
        part.reporter = PartOfStage(self.reporter, name, begin, end)
        part.checkpoints = self.checkpoints.below(name)
        return part

    @property
    def wants_interim_model(self) -> bool:
        """Whether an interim model is still to be published: in a time budget, until this task has a model."""
        return self.budget.is_limited and not self.job.has_model
