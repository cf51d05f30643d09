"""The interim model of a time budget: the decoder as it is early in its training."""

from __future__ import annotations

import dataclasses
import time

from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.time_budget import INTERIM_MODEL_SHARE
from trainer_worker.optimization.epochs import History
from trainer_worker.segmentation.plan import INTERIM_STEPS, SegmenterPlan
from trainer_worker.segmentation.publication import publish_segmenter
from trainer_worker.segmentation.record import TrainedSegmenter


class InterimModel:
    """Publishes the model once, as soon as the first part of the time budget is over."""

    def __init__(self, trained: TrainedSegmenter, plan: SegmenterPlan, attempt: Attempt) -> None:
        """trained: the model, whose weights are those of the moment at which it is published."""
        self._trained, self._attempt = trained, attempt
        self._by_s = attempt.budget.by_s(INTERIM_MODEL_SHARE, plan.interim_finishing_s())
        self._is_wanted = attempt.wants_interim_model

    def is_due(self, steps: int) -> bool:
        """Whether to publish the model now. steps: the optimizer steps so far."""
        return self._is_wanted and steps >= INTERIM_STEPS and time.monotonic() >= self._by_s

    def publish(self, history: History) -> None:
        self._is_wanted = False
        trained = dataclasses.replace(self._trained, history=history)
        published, _ = publish_segmenter(trained, self._attempt, interim=True)
        self._attempt.reporter.usable(published.usable())
        self._attempt.stages.enter("train")
