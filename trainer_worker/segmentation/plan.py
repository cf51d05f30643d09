"""The planned seconds of a segmentation's stages.

They were measured on two cores without bfloat16 at 224 px with lite0. They are for progress, forecasts and the time
budget only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from protocol.options import SegmentationOptions
from trainer_worker.attempt.job import PlannedStage
from trainer_worker.attempt.stages import stage_name
from trainer_worker.attempt.time_budget import INTERIM_MODEL_SHARE
from trainer_worker.backbones.backbone import Backbone
from trainer_worker.exporting.writing import expected_s
from trainer_worker.pictures.splits import Wanted
from trainer_worker.segmentation.skip_features import FEATURES_MEMORY_BYTES
from trainer_worker.segmentation.unet_training import batch_size_for, planned_epochs
from trainer_worker.segmentation.view_choice import MOST_ENCODED
from trainer_worker.segmentation.views import MOST_VIEWS

READ_S_PER_PICTURE = 0.02
ENCODE_S_PER_PICTURE = 0.006
TRAIN_START_S = 3.0
TRAIN_S_PER_PICTURE = 0.011
#: For each channel of the output beyond the first. Each class of a classes.txt is a channel.
TRAIN_S_PER_PICTURE_AND_CHANNEL = 0.0005
#: The part of a step that depends neither on the batch nor on the picture size.
TRAIN_S_PER_STEP = 0.007
CHECK_S_PER_PICTURE = 0.03
CHECK_S_PER_PICTURE_AND_CHANNEL = 0.005
#: Size of one view's features in memory with lite0.
VIEW_BYTES = 690_000
CHECK_START_S = 2.0
PUBLISH_S = 0.3
REPORT_S = 0.6
#: What follows training is planned to take this many times as long, because the machine may have other work.
FINISHING_MARGIN = 1.5
#: The interim model of a time budget is scored on at most this many pictures, and takes this many seconds before the
#: first of them.
INTERIM_CHECKED = 20
INTERIM_CHECK_START_S = 1.5
#: The interim model trains for at least this many optimizer steps, even if it is late then: after fewer it is of no use
#: (docs/choices.md, "First model of a segmenter's time budget").
INTERIM_STEPS = 12
#: The share of a time budget that may go by while the views are chosen.
VIEWS_SHARE = 0.05
#: Planned tiles of a picture that is scored whole. The real number is not known before the picture is read.
TILES_SCORED = 40
#: So many pictures score a model, and of each class if it has enough, even if validation_split asks for fewer. But
#: never more than half of them.
LEAST_HELD_OUT = 5


@dataclass(frozen=True)
class SegmenterPlan:
    """The planned seconds of one segmentation.

    pairs: the number of pictures with masks.
    tiles: how many squares of the model's input size a picture yields on average.
    channels: of the model's output.
    is_cut: whether these squares are tiles, so that whole pictures are put together from tiles to be scored.
    """

    pairs: int
    tiles: float
    options: SegmentationOptions
    backbone: Backbone
    channels: int
    is_cut: bool = False

    @property
    def total_s(self) -> float:
        """The seconds of the whole task, without the interim model of a time budget."""
        return sum(stage.expected_s for stage in (*self._training(), *self._finishing(self._held_out)))

    def stages(self) -> list[PlannedStage]:
        """All stages in their order."""
        read, train = self._training()
        interim = self._interim_finishing() if self.options.time_budget else ()
        return [read, *interim, train, *self._finishing(self._held_out)]

    def finishing_s(self, held_out: int) -> float:
        """The seconds to keep for what follows training. held_out: the number of pictures that score the model."""
        return FINISHING_MARGIN * sum(stage.expected_s for stage in self._finishing(held_out))

    def interim_finishing_s(self) -> float:
        """The seconds to keep for exporting, checking and publishing the interim model."""
        return FINISHING_MARGIN * sum(stage.expected_s for stage in self._interim_finishing())

    @property
    def has_time_for_views(self) -> bool:
        """Whether a time budget leaves time to see in which views pictures look like their set.

        It may take a small share of the budget, and none of the time that the interim model needs. Only the plan
        decides, and no clock: another attempt has to choose the same views, or its checkpoints would not fit.
        """
        budget_s = self.options.time_budget
        left_s = min(VIEWS_SHARE * budget_s, INTERIM_MODEL_SHARE * budget_s - self._first_model_s())
        return not budget_s or self._encoding_s(MOST_ENCODED) <= left_s

    def _first_model_s(self) -> float:
        """The seconds of the interim model. Each picture that is drawn for its steps has to be encoded."""
        read, _ = self._training()
        trained = math.ceil((self.pairs - self._held_out) * self.tiles)
        pictures = INTERIM_STEPS * batch_size_for(trained, self.options)
        steps_s = INTERIM_STEPS * TRAIN_S_PER_STEP + self._encoding_s(pictures) + self._decoding_s(pictures)
        return read.expected_s + TRAIN_START_S + steps_s + self.interim_finishing_s()

    def _encoding_s(self, pictures: float) -> float:
        """The seconds to encode so many pictures in one view."""
        return pictures * ENCODE_S_PER_PICTURE * self.backbone.features_cost * self._size

    @property
    def _held_out(self) -> float:
        return float(Wanted(self.options.validation_split, LEAST_HELD_OUT).of(self.pairs))

    @property
    def _size(self) -> float:
        """The area of the model's input, relative to the one that was measured."""
        return (self.options.image_size / 224) ** 2

    def _training(self) -> tuple[PlannedStage, PlannedStage]:
        trained = (self.pairs - self._held_out) * self.tiles
        epochs = planned_epochs(math.ceil(trained), self.options)
        steps = epochs * math.ceil(trained / batch_size_for(math.ceil(trained), self.options))
        encode_s = self._encoding_s(trained * self._encodings(trained, epochs))
        train_s = TRAIN_START_S + steps * TRAIN_S_PER_STEP + encode_s + self._decoding_s(trained * epochs)
        return PlannedStage("read", self.pairs * READ_S_PER_PICTURE * self.tiles), PlannedStage("train", train_s)

    def _decoding_s(self, pictures: float) -> float:
        """The seconds to train the decoder on so many pictures."""
        return pictures * (TRAIN_S_PER_PICTURE + (self.channels - 1) * TRAIN_S_PER_PICTURE_AND_CHANNEL) * self._size

    def _encodings(self, trained: float, epochs: int) -> float:
        """How often each picture is encoded. Views that do not fit into memory are encoded again in each epoch."""
        views = min(MOST_VIEWS, epochs)
        kept = min(1.0, FEATURES_MEMORY_BYTES / (trained * views * self._size * VIEW_BYTES))
        return kept * views + (1.0 - kept) * epochs

    def _finishing(self, held_out: float) -> list[PlannedStage]:
        """The stages after training."""
        check_s = self._check_s()
        score = [PlannedStage("score", held_out * TILES_SCORED * check_s)] if self.is_cut else []
        return [
            *score,
            PlannedStage("export", expected_s(self.options.exports) * self.backbone.exports_cost),
            PlannedStage("check", CHECK_START_S + held_out * self.tiles * check_s),
            PlannedStage("report", REPORT_S),
            PlannedStage("publish", PUBLISH_S),
        ]

    def _interim_finishing(self) -> list[PlannedStage]:
        """The stages that publish the interim model."""
        export_s = expected_s(self.options.exports[:1]) * self.backbone.exports_cost
        check_s = INTERIM_CHECK_START_S + INTERIM_CHECKED * self._check_s() + PUBLISH_S
        return [
            PlannedStage(stage_name("export", interim=True), export_s),
            PlannedStage(stage_name("check", interim=True), check_s),
        ]

    def _check_s(self) -> float:
        """The seconds for checking one picture."""
        of_channels_s = (self.channels - 1) * CHECK_S_PER_PICTURE_AND_CHANNEL
        return self._size * (CHECK_S_PER_PICTURE * self.backbone.features_cost + of_channels_s)
