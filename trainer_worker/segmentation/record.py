"""What metrics.json and manifest.json say about a segmentation model."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

import keras

from protocol.end_reason import EndReason
from trainer_worker.backbones.backbone import ChosenBackbone
from trainer_worker.exporting.model_use import ModelUse, as_written
from trainer_worker.optimization.epochs import History
from trainer_worker.pictures.copies import copy_groups
from trainer_worker.publishing.model_input import TileSize, model_input
from trainer_worker.segmentation.classes import MaskClasses
from trainer_worker.segmentation.dataset import MaskDataset
from trainer_worker.segmentation.decisions import THRESHOLD
from trainer_worker.segmentation.headline import DICE_OF_SQUARES, describe_classes, describe_score, headline
from trainer_worker.segmentation.kind import KIND
from trainer_worker.segmentation.scores import MaskScores
from trainer_worker.segmentation.tiles import overlap_px


@dataclass(frozen=True)
class TrainedSegmenter:
    """A trained segmenter and what it was made from. views: a sentence on how pictures were mirrored and turned."""

    model: keras.Model
    chosen: ChosenBackbone
    data: MaskDataset
    views: str
    history: History
    warnings: list[str]

    @property
    def tiles(self) -> int:
        """How many tiles were wanted of each picture; 0 for a model of whole pictures."""
        return self.data.examples.tiles


@dataclass(frozen=True)
class ScoredMasks:
    """How well the masks of the held-out pictures were predicted.

    name: what this score is called, see headline.py. baseline: the scores of predicting the most common foreground
    class for every pixel. pairs: for each scored picture or square, the number of its pair, int (n,).
    own_size: whether pictures were scored at their own size, put together from tiles.
    """

    name: str
    scores: MaskScores
    baseline: MaskScores
    pairs: Any
    own_size: bool

    @functools.cached_property
    def score(self) -> dict[str, Any]:
        return describe_score(self.name, self.scores)

    def headline(self, images: int) -> dict[str, float]:
        """The metrics of the task. images: pictures in the folder."""
        return headline(self.name, self.scores, self.score, images)

    @property
    def warnings(self) -> list[str]:
        return [*self.scores.warnings(self.baseline), *(() if self.score["enough"] else [self.score["sentence"]])]


def describe_training(trained: TrainedSegmenter, scored: ScoredMasks, exports: dict[str, Any]) -> dict[str, Any]:
    """The content of metrics.json."""
    folders, split, scores = trained.data.folders, trained.data.split, scored.scores
    size = "the pictures' own size, put together from tiles" if scored.own_size else "the model's input size"
    unit = "squares of held-out pictures" if scored.name == DICE_OF_SQUARES else "held-out pictures"
    files = [folders.name_of(pair.picture) for pair in folders.pairs]
    held_out = zip(scored.pairs, scores.dice_per_image, strict=True)
    return {
        "headline": f"{scored.name}: the mean Dice of {len(scores.dice_per_image)} {unit}, at {size}",
        "score": scored.score,
        "final": {**scored.headline(len(files)), "pixel_accuracy": scores.pixel_accuracy},
        "baseline": {"all_foreground_dice": scored.baseline.dice, "all_foreground_iou": scored.baseline.iou},
        "history": [{"epoch": number, **epoch} for number, epoch in enumerate(trained.history.epochs, start=1)],
        "end_reason": trained.history.end_reason,
        "labels": list(folders.classes.names),
        "per_class": describe_classes(scores),
        "confusion_matrix": scores.confusion,
        "images": {"train": len(split.train), "held_out": len(split.held_out)},
        "exports": exports,
        "held_out": [
            {"file": files[row], "sha256": trained.data.contents[row], scored.name: dice} for row, dice in held_out
        ],
        "copies": copy_groups(trained.data.copies),
        "mask_values": folders.rule.sentence,
        "views": trained.views,
        "grey_scale": folders.reader.grey.facts,
        "skipped": [dataclasses.asdict(skip) for skip in folders.skipped],
        "warnings": trained.warnings,
    }


def _output(classes: MaskClasses, size: int) -> dict[str, Any]:
    """The model's output, for the manifest."""
    output = {"shape": [None, size, size, classes.channels], "dtype": "float32"}
    if not classes.listed:
        return {"output": {**output, "meaning": "probability of foreground"}, "threshold": THRESHOLD}
    meaning = "probability of each class, in the order of labels; the likeliest is the pixel's class"
    return {"output": {**output, "meaning": meaning}}


def describe_model(trained: TrainedSegmenter, scored: ScoredMasks, exports: dict[str, Any]) -> dict[str, Any]:
    """What the manifest says of a segmenter besides what it says of every model."""
    folders, size = trained.data.folders, trained.model.input_shape[1]
    tiles = TileSize(size, overlap_px(size)) if trained.tiles else None
    return {
        "input": model_input(size, folders.reader.grey, tiles),
        **_output(folders.classes, size),
        "metrics": scored.headline(len(folders.pairs)),
        "score": scored.score,
        "end_reason": trained.history.end_reason,
        "stopped_early": trained.history.end_reason is EndReason.STOPPED,
        "exports": exports,
        "warnings": trained.warnings,
    }


def describe_use(trained: TrainedSegmenter) -> ModelUse:
    """What its .tflite files say of their use."""
    folders, size = trained.data.folders, trained.model.input_shape[1]
    return ModelUse(
        train_type=KIND.train_type,
        labels=as_written(folders.classes.names),
        side_px=size,
        is_mask=True,
        fit="tiles" if trained.tiles else "squash",
        overlap_px=overlap_px(size) if trained.tiles else 0,
        grey_scale=folders.reader.grey.facts,
        foreground_above=THRESHOLD,
    )
