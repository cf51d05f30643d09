"""trainType=segmentation: pictures with masks in, a U-Net out that gives every pixel's probability of foreground, or
of each class of classes.txt.

Read `train` from top to bottom. Imports TensorFlow; for the trainer process only.
"""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
import tensorflow as tf

from protocol.errors import TrainingError
from protocol.options import SegmentationOptions
from trainer_worker import unet
from trainer_worker.artifacts import ModelFolder, write_json, write_labels
from trainer_worker.backbones.efficientnet_lite import WEIGHTS_SHA256
from trainer_worker.data.contents import content_groups, content_hashes
from trainer_worker.data.mask_classes import MaskClasses, pictures_with, rarest_class
from trainer_worker.data.mask_folders import Cutting, Examples, MaskFolders, read_pairs, scan
from trainer_worker.data.splits import stratified_split
from trainer_worker.data.tiles import overlap_px
from trainer_worker.exports import check_exports, export_model
from trainer_worker.job import Job, Phase, Reporter, TrainingResult
from trainer_worker.mask_predictions import THRESHOLD, MaskPredictor, decide
from trainer_worker.mask_scores import MaskScores, MaskTally, score_classes
from trainer_worker.skip_features import VIEWS, SkipFeatures
from trainer_worker.stages import Stages
from trainer_worker.unet_training import DecoderHistory, TrainingHooks, fit_decoder

#: Share of the training pictures that choose the best epoch.
INNER_VALIDATION_SHARE = 0.15
#: The encoder's features take 0.7 MB a view at 224 px; eight views of 380 pictures fit.
FEATURES_MEMORY_BYTES = 2 * 1024**3

# Seconds on two cores at 224 px, for the plan only.
READ_S_PER_PICTURE = 0.02
ENCODE_S_PER_PICTURE = 0.016
TRAIN_S_PER_PICTURE = 0.017
EXPORT_S = 6.0
CHECK_S_PER_PICTURE = 0.06
PUBLISH_S = 0.3
#: Tiles of a picture that is scored whole; not known before it is read.
TILES_SCORED = 40


@dataclasses.dataclass(frozen=True)
class Split:
    """Numbers of pairs. `validation` chooses the best epoch; `held_out` is looked at once, at the end."""

    train: list[int]
    validation: list[int]
    held_out: list[int]


def train(job: Job, reporter: Reporter, cache_dir: Path, threads: int) -> TrainingResult:
    """Train, score, export, check and publish one segmentation model.

    cache_dir: not needed by this trainer. threads: for decoding pictures and checking the exports.
    Raises TrainingError for what the caller can mend, Cancelled when told to; then nothing is published.
    """
    options = _options(job)
    keras.utils.clear_session()
    keras.utils.set_random_seed(options.seed)
    if not tf.config.list_physical_devices("GPU"):  # costs nothing on a CPU, and some GPU kernels refuse it
        tf.config.experimental.enable_op_determinism()
    stages = Stages(reporter)
    folders = scan(job.project_dir)
    reporter.plan(_plan(len(folders.pairs), max(1, options.tiles), options))

    stages.enter("read")
    cutting = Cutting(options.image_size, options.tiles, options.seed)
    examples = read_pairs(folders, cutting, threads, reporter.step)
    present = _classes_of_pairs(examples, folders)
    split = _split(folders, present, job)
    warnings = _warnings(folders, examples, present, split)
    if cutting.most_tiles(len(folders.pairs)) < options.tiles:
        fewer = cutting.most_tiles(len(folders.pairs))
        warnings.append(f"Only {fewer} tiles of each picture were trained on, for lack of memory for {options.tiles}.")
    tiles_each = len(examples.owners) / len(folders.pairs)
    reporter.plan(_plan(len(folders.pairs), tiles_each, options))

    stages.enter("train")
    encoder = unet.build_encoder(options.image_size)
    skip_shapes = [tuple(output.shape[1:]) for output in encoder.outputs]
    decoder = unet.build_decoder(skip_shapes, folders.classes.channels)
    features = SkipFeatures(encoder, examples.pictures, FEATURES_MEMORY_BYTES)
    rows = (examples.rows_of(split.train), examples.rows_of(split.validation))
    history = fit_decoder(decoder, features, examples.masks, rows, options, _hooks(reporter), job.checkpoints)
    del features
    model = unet.compose(encoder, decoder)
    predictor = MaskPredictor(model)
    squares = examples.rows_of(split.held_out)
    held_out, truth = examples.pictures[squares], examples.masks[squares]
    found, probabilities = predictor.of_squares(held_out)
    whole: Iterable[tuple[Any, Any]] = zip(truth, found, strict=True)
    if options.tiles:
        stages.enter("score")
        whole = predictor.of_files(folders, split.held_out, reporter.step)
    scores, baseline = _scores(whole, truth, folders.classes.names)
    checked_truth = truth[: len(probabilities)]

    def score(outputs: Any) -> float:
        return score_classes(checked_truth, decide(outputs), folders.classes.names).dice

    with ModelFolder(job.project_dir, job.task_id, job.attempt) as folder:
        stages.enter("export")
        files = export_model(model, folder.path, reporter.step)
        stages.enter("check")
        checks = check_exports(
            files,
            held_out[: len(probabilities)],
            probabilities,
            score,
            reporter.step,
            threads=threads,
        )
        exports = {
            "trained_model_score": score(probabilities),
            "pictures": len(probabilities),
            "formats": list(map(dataclasses.asdict, checks)),
        }
        stages.enter("publish")
        write_labels(folder.path / "labels.txt", folders.classes.names)
        write_json(
            folder.path / "metrics.json", _metrics(scores, baseline, history, split, folders, options.tiles, warnings)
        )
        stages.leave()
        final = folder.publish(_manifest(job, folders.classes, scores, exports, history, stages.seconds, warnings))
    stages.leave()
    return TrainingResult(
        model_path=final / "model.tflite",
        metrics=_headline(scores, len(folders.pairs)),
        stage_seconds=stages.seconds,
        stopped_early=history.stopped_early,
        details={"best_epoch": history.best_epoch, "end_reason": history.end_reason, "warnings": warnings},
    )


def warm_up(cache_dir: Path, threads: int) -> None:
    """Nothing to make ready: the encoder is built for each task, and its weights are read when this is imported."""


def _options(job: Job) -> SegmentationOptions:
    if not isinstance(job.options, SegmentationOptions):
        raise TypeError(f"options of segmentation expected, not {type(job.options).__name__}")
    return job.options


def _plan(pairs: int, tiles: float, options: SegmentationOptions) -> list[Phase]:
    """tiles: squares of the model's input size that a picture gives, on average."""
    size = (options.image_size / 224) ** 2
    held_out = max(1.0, pairs * options.validation_split)
    trained = (pairs - held_out) * tiles
    views = min(VIEWS, options.epochs)
    train_s = trained * (views * ENCODE_S_PER_PICTURE + options.epochs * TRAIN_S_PER_PICTURE) * size
    return [
        Phase("read", pairs * READ_S_PER_PICTURE * tiles),
        Phase("train", train_s),
        *([Phase("score", held_out * TILES_SCORED * CHECK_S_PER_PICTURE * size)] if options.tiles else []),
        Phase("export", EXPORT_S),
        Phase("check", 2.0 + held_out * tiles * CHECK_S_PER_PICTURE * size),
        Phase("publish", PUBLISH_S),
    ]


def _classes_of_pairs(examples: Examples, folders: MaskFolders) -> Any:
    """Which classes the examples of each pair show: bool (pairs, classes)."""
    shown = pictures_with(examples.masks, len(folders.classes.names))
    return np.logical_or.reduceat(shown, _first_rows(examples))


def _first_rows(examples: Examples) -> Any:
    return np.flatnonzero(np.diff(examples.owners, prepend=-1))


def _split(folders: MaskFolders, present: Any, job: Job) -> Split:
    """Pairs by number: held-out ones first, inner validation from the rest; byte-identical pictures stay on one side.

    Pictures with and without foreground are shared out alike, and so are those of each class.
    """
    classes = rarest_class(present)
    groups = content_groups(content_hashes([pair.picture for pair in folders.pairs]))
    outer = stratified_split(classes, groups, job.options.validation_split, job.options.seed)
    rest = outer.train
    inner = stratified_split(classes[rest], groups[rest], INNER_VALIDATION_SHARE, job.options.seed)
    split = Split(rest[inner.train].tolist(), rest[inner.held_out].tolist(), outer.held_out.tolist())
    if not (split.train and split.validation and split.held_out):
        raise TrainingError(
            "too_few_images",
            f"The {len(folders.pairs)} pictures with masks in images/ are only {len(set(groups.tolist()))} different "
            "ones; training, choosing the best epoch and scoring each need pictures of their own. Add more.",
        )
    return split


def _warnings(folders: MaskFolders, examples: Examples, present: Any, split: Split) -> list[str]:
    warnings = []
    if folders.skipped:
        warnings.append(f"{len(folders.skipped)} files were skipped; metrics.json lists them.")
    empty = int((~present[:, 1:].any(axis=1)).sum())
    if empty:
        warnings.append(f"{empty} of {len(present)} masks mark no foreground.")
    if folders.classes.listed:
        return warnings + _class_warnings(folders.classes.names, present, split)
    full = int(np.logical_and.reduceat(examples.masks.all(axis=(1, 2)), _first_rows(examples)).sum())
    if full:
        warnings.append(f"{full} of {len(present)} masks are foreground all over; background must be 0.")
    return warnings


def _class_warnings(names: Sequence[str], present: Any, split: Split) -> list[str]:
    """Which classes could not be learned or scored; a missing background is usual."""
    trained, scored = present[split.train].any(axis=0), present[split.held_out].any(axis=0)
    warnings = []
    for number, name in enumerate(names[1:], start=1):
        if not present[:, number].any():
            warnings.append(f"No mask holds class {number}, {name!r}: the model can't know it.")
        elif not trained[number]:
            warnings.append(f"No picture to train on shows {name!r}: the model can't know it. Add pictures of it.")
        elif not scored[number]:
            warnings.append(f"No held-out picture shows {name!r}: its own score says nothing. Add pictures of it.")
    return warnings


def _hooks(reporter: Reporter) -> TrainingHooks:
    return TrainingHooks(
        on_step=lambda fraction, loss: reporter.step(fraction, loss=loss),
        on_epoch=reporter.epoch,
        stop_requested=lambda: reporter.stop_requested,
    )


def _scores(whole: Iterable[tuple[Any, Any]], squares: Any, names: Sequence[str]) -> tuple[MaskScores, MaskScores]:
    """Of the held-out masks (truth, found): the model's scores, and those of one that says the commonest foreground
    class of every pixel. squares: true masks (n, S, S), by which that class is told."""
    pixels = np.sum([np.bincount(mask.ravel(), minlength=len(names))[: len(names)] for mask in squares], axis=0)
    commonest = 1 + int(np.argmax(pixels[1:]))
    model, baseline = MaskTally(names), MaskTally(names)
    for truth, found in whole:
        model.add(truth, found)
        baseline.add(truth, np.full_like(truth, commonest))
    return model.scores(), baseline.scores()


def _headline(scores: MaskScores, images: int) -> dict[str, float]:
    return {
        "dice": scores.dice,
        "iou": scores.iou,
        "dice_all_pixels": scores.dice_all_pixels,
        "iou_all_pixels": scores.iou_all_pixels,
        "images": float(images),
    }


def _metrics(
    scores: MaskScores,
    everything: MaskScores,
    history: DecoderHistory,
    split: Split,
    folders: MaskFolders,
    tiles: int,
    warnings: list[str],
) -> dict[str, Any]:
    resolution = "the pictures' own size, put together from tiles" if tiles else "the model's input size"
    files = [pair.picture.relative_to(folders.project_dir).as_posix() for pair in folders.pairs]
    held_out = zip(split.held_out, scores.dice_per_image, strict=True)
    return {
        "headline": f"dice: mean of the held-out pictures' own Dice, at {resolution}",
        "final": {**_headline(scores, len(files)), "pixel_accuracy": scores.pixel_accuracy},
        "baseline": {"all_foreground_dice": everything.dice, "all_foreground_iou": everything.iou},
        "history": [{"epoch": number, **epoch} for number, epoch in enumerate(history.epochs, start=1)],
        "best_epoch": history.best_epoch,
        "end_reason": history.end_reason,
        "labels": list(folders.classes.names),
        "per_class": scores.per_class,
        "confusion_matrix": scores.confusion,
        "images": {name: len(rows) for name, rows in dataclasses.asdict(split).items()},
        "held_out": [{"file": files[row], "dice": dice} for row, dice in held_out],
        "skipped": [dataclasses.asdict(skip) for skip in folders.skipped],
        "warnings": warnings,
    }


def _input(size: int, tiles: int) -> dict[str, Any]:
    """What the model takes, for the manifest."""
    expected = {"shape": [None, size, size, 3], "dtype": "float32", "range": [0, 255], "channels": "RGB"}
    if not tiles:
        return expected
    meaning = (
        f"a square of a picture at its own resolution; cut larger pictures into tiles of {size} px that overlap by "
        f"{overlap_px(size)} px or more, share each overlap halfway, and stretch a side that is shorter than a tile"
    )
    return {**expected, "tiles": {"size_px": size, "overlap_px": overlap_px(size), "meaning": meaning}}


def _output(classes: MaskClasses, size: int) -> dict[str, Any]:
    """What the model gives, for the manifest."""
    output = {"shape": [None, size, size, classes.channels], "dtype": "float32"}
    if not classes.listed:
        return {"output": {**output, "meaning": "probability of foreground"}, "threshold": THRESHOLD}
    meaning = "probability of each class, in the order of labels; the likeliest is the pixel's class"
    return {"output": {**output, "meaning": meaning}}


def _manifest(
    job: Job,
    classes: MaskClasses,
    scores: MaskScores,
    exports: dict[str, Any],
    history: DecoderHistory,
    stage_seconds: dict[str, float],
    warnings: list[str],
) -> dict[str, Any]:
    size = job.options.image_size
    return {
        "task_id": job.task_id,
        "attempt": job.attempt,
        "fingerprint": job.fingerprint,
        "train_type": job.train_type,
        "options": msgspec.to_builtins(job.options),
        "seed": job.options.seed,
        "labels": list(classes.names),
        "input": _input(size, _options(job).tiles),
        **_output(classes, size),
        "metrics": {"dice": scores.dice, "iou": scores.iou, "dice_all_pixels": scores.dice_all_pixels},
        "best_epoch": history.best_epoch,
        "stopped_early": history.stopped_early,
        "exports": exports,
        "versions": {
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
            "backbone_sha256": WEIGHTS_SHA256,
        },
        "stage_seconds": dict(stage_seconds),
        "warnings": warnings,
    }
