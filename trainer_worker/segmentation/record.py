"""What metrics.json and manifest.json say about a segmentation model."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import keras

from protocol.end_reason import EndReason
from trainer_worker.backbones.backbone import ChosenBackbone
from trainer_worker.optimization.epochs import History
from trainer_worker.pictures.copies import copy_groups
from trainer_worker.pictures.flattening import GreyScale
from trainer_worker.segmentation.classes import MaskClasses
from trainer_worker.segmentation.dataset import MaskDataset
from trainer_worker.segmentation.kind import KIND
from trainer_worker.segmentation.predictions import THRESHOLD
from trainer_worker.segmentation.scores import MaskScores
from trainer_worker.segmentation.tiles import overlap_px


@dataclass(frozen=True)
class TrainedSegmenter:
    """A trained segmenter and what it was made from. tiles: the option; 0 for a model of whole pictures."""

    model: keras.Model
    chosen: ChosenBackbone
    data: MaskDataset
    tiles: int
    history: History
    warnings: list[str]


@dataclass(frozen=True)
class ScoredMasks:
    """How well the masks of the held-out pictures were predicted.

    baseline: the scores of predicting the most common foreground class for every pixel.
    pairs: for each scored picture or square, the number of its pair, int (n,).
    whole: whether pictures were scored at their own size, put together from tiles.
    """

    scores: MaskScores
    baseline: MaskScores
    pairs: Any
    whole: bool


def headline(scores: MaskScores, images: int) -> dict[str, float]:
    return {
        "dice": scores.dice,
        "iou": scores.iou,
        "dice_all_pixels": scores.dice_all_pixels,
        "iou_all_pixels": scores.iou_all_pixels,
        "images": float(images),
    }


def describe_training(trained: TrainedSegmenter, scored: ScoredMasks, exports: dict[str, Any]) -> dict[str, Any]:
    """The content of metrics.json."""
    folders, split, scores = trained.data.folders, trained.data.split, scored.scores
    resolution = "the pictures' own size, put together from tiles" if scored.whole else "the model's input size"
    files = [folders.name_of(pair.picture) for pair in folders.pairs]
    held_out = zip(scored.pairs, scores.dice_per_image, strict=True)
    return {
        "headline": f"{KIND.headline}: mean of the held-out pictures' own Dice, at {resolution}",
        "final": {**headline(scores, len(files)), "pixel_accuracy": scores.pixel_accuracy},
        "baseline": {"all_foreground_dice": scored.baseline.dice, "all_foreground_iou": scored.baseline.iou},
        "history": [{"epoch": number, **epoch} for number, epoch in enumerate(trained.history.epochs, start=1)],
        "end_reason": trained.history.end_reason,
        "labels": list(folders.classes.names),
        "per_class": scores.per_class,
        "confusion_matrix": scores.confusion,
        "images": {"train": len(split.train), "held_out": len(split.held_out)},
        "exports": exports,
        "held_out": [{"file": files[row], "dice": dice} for row, dice in held_out],
        "copies": copy_groups(trained.data.copies),
        "mask_values": folders.rule.sentence,
        "grey_scale": folders.reader.grey.facts,
        "skipped": [dataclasses.asdict(skip) for skip in folders.skipped],
        "warnings": trained.warnings,
    }


def _input(size: int, tiles: int, grey: GreyScale) -> dict[str, Any]:
    """The model's input, for the manifest."""
    shape = [None, size, size, 3]
    expected = {"shape": shape, "dtype": "float32", "range": [0, 255], "channels": "RGB", "grey_scale": grey.facts}
    if not tiles:
        return expected
    meaning = (
        f"a square of a picture at its own resolution; cut larger pictures into tiles of {size} px that overlap by "
        f"{overlap_px(size)} px or more, share each overlap halfway, and stretch a side that is shorter than a tile"
    )
    return {**expected, "tiles": {"size_px": size, "overlap_px": overlap_px(size), "meaning": meaning}}


def _output(classes: MaskClasses, size: int) -> dict[str, Any]:
    """The model's output, for the manifest."""
    output = {"shape": [None, size, size, classes.channels], "dtype": "float32"}
    if not classes.listed:
        return {"output": {**output, "meaning": "probability of foreground"}, "threshold": THRESHOLD}
    meaning = "probability of each class, in the order of labels; the likeliest is the pixel's class"
    return {"output": {**output, "meaning": meaning}}


def describe_model(trained: TrainedSegmenter, scored: ScoredMasks, exports: dict[str, Any]) -> dict[str, Any]:
    """What the manifest says of a segmenter besides what it says of every model."""
    folders, scores, size = trained.data.folders, scored.scores, trained.model.input_shape[1]
    return {
        "input": _input(size, trained.tiles, folders.reader.grey),
        **_output(folders.classes, size),
        "metrics": {"dice": scores.dice, "iou": scores.iou, "dice_all_pixels": scores.dice_all_pixels},
        "end_reason": trained.history.end_reason,
        "stopped_early": trained.history.end_reason is EndReason.STOPPED,
        "exports": exports,
        "warnings": trained.warnings,
    }
