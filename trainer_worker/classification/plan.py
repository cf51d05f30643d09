"""The planned seconds of a classification's stages.

They were measured on two cores at 224 px with lite0. They are for progress, forecasts and the time budget only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from protocol.options import TrainingOptions
from trainer_worker.attempt.job import PlannedStage
from trainer_worker.attempt.stages import stage_name
from trainer_worker.attempt.time_budget import INTERIM_MODEL_SHARE
from trainer_worker.backbones.backbone import Backbone
from trainer_worker.classification.fine_tuning import planned_epochs
from trainer_worker.exporting.writing import expected_s

FEATURES_S_PER_IMAGE = 0.011
#: The classifier is built meanwhile.
FEATURES_START_S = 0.9
ADVICE_START_S = 0.1
ADVICE_S_PER_IMAGE = 0.0004
TRAIN_S_PER_IMAGE_AND_EPOCH = 0.0038
#: The part of an optimizer step that does not depend on the batch.
TRAIN_S_PER_STEP = 0.02
TRAIN_START_S = 0.8
CHECK_S_PER_IMAGE = 0.015
CHECK_START_S = 1.0
PUBLISH_S = 0.3
REPORT_S = 0.6
#: A fold's model in a time budget.
FOLD_S = 0.2
FOLD_S_PER_IMAGE = 0.001
INTERIM_HEAD_S = 0.5
INTERIM_CHECK_START_S = 0.2
#: The interim model of a time budget is scored on at most this many pictures.
INTERIM_CHECKED = 50
#: What follows training is planned to take this many times as long, because the machine may have other work.
FINISHING_MARGIN = 1.5


@dataclass(frozen=True)
class ClassifierPlan:
    """The planned seconds of one classification.

    images: the number of pictures in the class folders. folds: how many models are trained to score it, with the
    published one.
    """

    images: int
    options: TrainingOptions
    backbone: Backbone
    folds: int = 1

    @property
    def total_s(self) -> float:
        """The seconds of the whole task, without the interim model of a time budget."""
        return sum(stage.expected_s for stage in self._final_stages())

    def stages(self) -> list[PlannedStage]:
        """All stages in their order."""
        return [*(self._interim_stages() if self.options.time_budget else ()), *self._final_stages()]

    def finishing_s(self, held_out: int) -> float:
        """The seconds of a time budget to keep for what follows training. held_out: its held-out pictures."""
        return FINISHING_MARGIN * (
            self._folds_s(0.0) + self._export_s() + self._check_s(held_out) + REPORT_S + PUBLISH_S
        )

    def interim_finishing_s(self) -> float:
        """The seconds to keep for what follows the features of the interim model: head, export, check, publishing."""
        return INTERIM_HEAD_S + FINISHING_MARGIN * (self._interim_export_s() + self._interim_check_s() + PUBLISH_S)

    def _interim_stages(self) -> list[PlannedStage]:
        seconds = {
            "features": INTERIM_MODEL_SHARE * self.options.time_budget / 2,
            "export": self._interim_export_s(),
            "check": self._interim_check_s(),
        }
        return [PlannedStage(stage_name(name, interim=True), expected_s) for name, expected_s in seconds.items()]

    def _final_stages(self) -> list[PlannedStage]:
        held_out = self.images * self.options.validation_split
        trained = self.images - held_out
        varied = trained if self.backbone.trunk_end else 0  # else only the head is trained, on the plain views
        epochs = planned_epochs(math.ceil(trained), self.options)
        steps = epochs * math.ceil(varied / self.options.batch_size)
        features_s = (self.images + varied) * FEATURES_S_PER_IMAGE * self._size * self.backbone.features_cost
        train_s = TRAIN_START_S + self.backbone.training_cost * (
            epochs * varied * TRAIN_S_PER_IMAGE_AND_EPOCH * self._size + steps * TRAIN_S_PER_STEP
        )
        return [
            PlannedStage("features", FEATURES_START_S + features_s),
            PlannedStage("advice", ADVICE_START_S + self.images * ADVICE_S_PER_IMAGE),
            PlannedStage("train", train_s),
            *([PlannedStage("cross_validate", self._folds_s(train_s))] if self.folds > 1 else ()),
            PlannedStage("export", self._export_s()),
            PlannedStage("check", self._check_s(held_out)),
            PlannedStage("report", REPORT_S),
            PlannedStage("publish", PUBLISH_S),
        ]

    def _folds_s(self, train_s: float) -> float:
        """The seconds of a cross-validation. In a time budget its models are the regressions of heads alone."""
        model_s = FOLD_S + FOLD_S_PER_IMAGE * self.images if self.options.time_budget else train_s
        return (self.folds - 1) * model_s

    @property
    def _size(self) -> float:
        """The area of the model's input, relative to the one that was measured."""
        return (self.options.image_size / 224) ** 2

    def _export_s(self) -> float:
        return expected_s(self.options.exports) * self.backbone.exports_cost

    def _interim_export_s(self) -> float:
        return expected_s(self.options.exports[:1]) * self.backbone.exports_cost

    def _check_s(self, held_out: float) -> float:
        return CHECK_START_S + held_out * CHECK_S_PER_IMAGE * self._size * self.backbone.features_cost

    def _interim_check_s(self) -> float:
        check_s = CHECK_S_PER_IMAGE * self._size * self.backbone.features_cost
        return INTERIM_CHECK_START_S + INTERIM_CHECKED * check_s
