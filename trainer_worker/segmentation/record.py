"""What metrics.json and manifest.json say about a segmentation model. For the trainer process only."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from protocol.end_reason import EndReason
from trainer_worker.attempt.job import Job
from trainer_worker.pictures.flattening import GreyScale
from trainer_worker.pictures.splits import Split
from trainer_worker.segmentation.classes import MaskClasses
from trainer_worker.segmentation.folders import MaskFolders
from trainer_worker.segmentation.kind import KIND
from trainer_worker.segmentation.predictions import THRESHOLD
from trainer_worker.segmentation.scores import MaskScores
from trainer_worker.segmentation.tiles import overlap_px
from trainer_worker.segmentation.unet_training import DecoderHistory


def headline(scores: MaskScores, images: int) -> dict[str, float]:
    return {
        "dice": scores.dice,
        "iou": scores.iou,
        "dice_all_pixels": scores.dice_all_pixels,
        "iou_all_pixels": scores.iou_all_pixels,
        "images": float(images),
    }


def describe_training(
    scores: MaskScores,
    everything: MaskScores,
    history: DecoderHistory,
    scored: Sequence[int],
    split: Split,
    folders: MaskFolders,
    exports: dict[str, Any],
    tiles: int,
    warnings: list[str],
) -> dict[str, Any]:
    """The content of metrics.json. scored: for each scored picture or square, the number of its pair."""
    resolution = "the pictures' own size, put together from tiles" if tiles else "the model's input size"
    files = [folders.name_of(pair.picture) for pair in folders.pairs]
    held_out = zip(scored, scores.dice_per_image, strict=True)
    return {
        "headline": f"{KIND.headline}: mean of the held-out pictures' own Dice, at {resolution}",
        "final": {**headline(scores, len(files)), "pixel_accuracy": scores.pixel_accuracy},
        "baseline": {"all_foreground_dice": everything.dice, "all_foreground_iou": everything.iou},
        "history": [{"epoch": number, **epoch} for number, epoch in enumerate(history.epochs, start=1)],
        "end_reason": history.end_reason,
        "labels": list(folders.classes.names),
        "per_class": scores.per_class,
        "confusion_matrix": scores.confusion,
        "images": {"train": len(split.train), "held_out": len(split.held_out)},
        "exports": exports,
        "held_out": [{"file": files[row], "dice": dice} for row, dice in held_out],
        "mask_values": folders.rule.sentence,
        "grey_scale": folders.reader.grey.facts,
        "skipped": [dataclasses.asdict(skip) for skip in folders.skipped],
        "warnings": warnings,
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


def describe_model(
    job: Job,
    tiles: int,
    folders: MaskFolders,
    scores: MaskScores,
    exports: dict[str, Any],
    history: DecoderHistory,
    warnings: list[str],
) -> dict[str, Any]:
    size = job.options.image_size
    return {
        "input": _input(size, tiles, folders.reader.grey),
        **_output(folders.classes, size),
        "metrics": {"dice": scores.dice, "iou": scores.iou, "dice_all_pixels": scores.dice_all_pixels},
        "end_reason": history.end_reason,
        "stopped_early": history.end_reason is EndReason.STOPPED,
        "exports": exports,
        "warnings": warnings,
    }
