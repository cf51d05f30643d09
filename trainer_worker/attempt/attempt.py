"""One attempt at one task, as a trainer gets it."""

from __future__ import annotations

from pathlib import Path

from trainer_worker.attempt.job import Job, Reporter
from trainer_worker.attempt.stages import Stages
from trainer_worker.attempt.time_budget import TimeBudget


class Attempt:
    """What is to be trained, who hears of it, and what it may be done with. The time budget runs from its creation.

    cache_dir: where a trainer may keep files from task to task, such as a converted backbone. threads: how many to
    decode pictures and compute features with, and to check the exports.
    """

    def __init__(self, job: Job, reporter: Reporter, cache_dir: Path, threads: int) -> None:
        self.job = job
        self.reporter = reporter
        self.cache_dir = cache_dir
        self.threads = threads
        self.stages = Stages(reporter)
        self.budget = TimeBudget(job.options.time_budget)

    @property
    def wants_interim_model(self) -> bool:
        """Whether a first, interim model is to be published: in a time budget, unless an earlier attempt has done so.

        It is False once that model is published.
        """
        return self.budget.is_limited and not self.job.has_model
