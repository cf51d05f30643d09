"""trainType=segmentation: pictures with masks in, a U-Net out that gives every pixel's probability of foreground.

Read `train` from top to bottom. Imports TensorFlow; for the trainer process only.
"""

from __future__ import annotations

import dataclasses
import platform
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
import tensorflow as tf

from protocol.errors import TrainingError
from trainer_worker import unet
from trainer_worker.backbones.efficientnet_lite import WEIGHTS_SHA256
from trainer_worker.data.contents import content_groups, content_hashes
from trainer_worker.data.mask_folders import MaskFolders, read_pairs, scan
from trainer_worker.data.splits import stratified_split
from trainer_worker.export_checks import Exports, HeldOut, start_runtimes
from trainer_worker.exports import CALIBRATION_PICTURES, expected_s, refuse_impossible
from trainer_worker.job import Job, Phase, Reporter, TrainingResult
from trainer_worker.mask_scores import CLASSES, MaskScores, score_masks
from trainer_worker.publishing import Publication, publish_model
from trainer_worker.skip_features import VIEWS, SkipFeatures
from trainer_worker.stages import Stages
from trainer_worker.unet_training import DecoderHistory, TrainingHooks, fit_decoder

#: Share of the training pictures that choose the best epoch.
INNER_VALIDATION_SHARE = 0.15
#: The encoder's features take 0.7 MB a view at 224 px; eight views of 380 pictures fit.
FEATURES_MEMORY_BYTES = 2 * 1024**3
THRESHOLD = 0.5
PREDICT_BATCH = 16

# Seconds on two cores at 224 px, for the plan only.
READ_S_PER_PICTURE = 0.02
ENCODE_S_PER_PICTURE = 0.016
TRAIN_S_PER_PICTURE = 0.017
CHECK_S_PER_PICTURE = 0.06
PUBLISH_S = 0.3


@dataclasses.dataclass(frozen=True)
class Split:
    """Row numbers. `validation` chooses the best epoch; `held_out` is looked at once, at the end."""

    train: list[int]
    validation: list[int]
    held_out: list[int]


def train(job: Job, reporter: Reporter, cache_dir: Path, threads: int) -> TrainingResult:
    """Train, score, export, check and publish one segmentation model.

    cache_dir: not needed by this trainer. threads: for decoding pictures and checking the exports.
    Raises TrainingError for what the caller can mend, Cancelled when told to; then nothing is published.
    """
    options = job.options
    refuse_impossible(options.exports)
    start_runtimes(options.exports, threads)
    keras.utils.clear_session()
    keras.utils.set_random_seed(options.seed)
    if not tf.config.list_physical_devices("GPU"):  # costs nothing on a CPU, and some GPU kernels refuse it
        tf.config.experimental.enable_op_determinism()
    stages = Stages(reporter)
    folders = scan(job.project_dir)
    reporter.plan(_plan(len(folders.pairs), job))

    stages.enter("read")
    pictures, masks = read_pairs(folders, options.image_size, threads, reporter.step)
    split = _split(folders, masks, job)
    warnings = _warnings(folders, masks)

    stages.enter("train")
    encoder = unet.build_encoder(options.image_size)
    decoder = unet.build_decoder([tuple(output.shape[1:]) for output in encoder.outputs])
    features = SkipFeatures(encoder, pictures, FEATURES_MEMORY_BYTES)
    rows = (split.train, split.validation)
    history = fit_decoder(decoder, features, masks, rows, options, _hooks(reporter), job.checkpoints)
    del features
    model = unet.compose(encoder, decoder)
    held_out, truth = pictures[split.held_out], masks[split.held_out]
    probabilities = _predict(model, held_out)
    scores = score_masks(truth, probabilities[..., 0] > THRESHOLD)

    def describe(exports: Exports, of_exports: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        every_warning = [*warnings, *of_exports]
        metrics = _metrics(scores, truth, history, split, folders, exports, every_warning)
        return metrics, _manifest(job, scores, exports, history, every_warning)

    calibrating = split.train[:: max(1, len(split.train) // CALIBRATION_PICTURES)][:CALIBRATION_PICTURES]
    proof = HeldOut(held_out, probabilities, lambda found: score_masks(truth, found[..., 0] > THRESHOLD).dice)
    publication = Publication(model, CLASSES, proof, lambda: pictures[calibrating], describe)
    model_path = publish_model(publication, job, reporter, stages, threads)
    stages.leave()
    return TrainingResult(
        model_path=model_path,
        metrics=_headline(scores, len(folders.pairs)),
        stage_seconds=stages.seconds,
        stopped_early=history.stopped_early,
        details={"best_epoch": history.best_epoch, "end_reason": history.end_reason, "warnings": warnings},
    )


def warm_up(cache_dir: Path, threads: int) -> None:
    """Nothing to make ready: the encoder is built for each task, and its weights are read when this is imported."""


def _plan(pairs: int, job: Job) -> list[Phase]:
    size = (job.options.image_size / 224) ** 2
    held_out = max(1.0, pairs * job.options.validation_split)
    trained = pairs - held_out
    views = min(VIEWS, job.options.epochs)
    train_s = trained * (views * ENCODE_S_PER_PICTURE + job.options.epochs * TRAIN_S_PER_PICTURE) * size
    return [
        Phase("read", pairs * READ_S_PER_PICTURE),
        Phase("train", train_s),
        Phase("export", expected_s(job.options.exports)),
        Phase("check", 2.0 + held_out * CHECK_S_PER_PICTURE * size),
        Phase("publish", PUBLISH_S),
    ]


def _split(folders: MaskFolders, masks: Any, job: Job) -> Split:
    """Held-out pictures first, inner validation from the rest; byte-identical pictures stay on one side.

    Pictures with and without foreground are shared out alike.
    """
    classes = masks.any(axis=(1, 2)).astype(np.int64)
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


def _warnings(folders: MaskFolders, masks: Any) -> list[str]:
    warnings = []
    if folders.skipped:
        warnings.append(f"{len(folders.skipped)} files were skipped; metrics.json lists them.")
    empty = int(len(masks) - masks.any(axis=(1, 2)).sum())
    if empty:
        warnings.append(f"{empty} of {len(masks)} masks mark no foreground.")
    full = int(masks.all(axis=(1, 2)).sum())
    if full:
        warnings.append(f"{full} of {len(masks)} masks are foreground all over; background must be 0.")
    return warnings


def _hooks(reporter: Reporter) -> TrainingHooks:
    return TrainingHooks(
        on_step=lambda fraction, loss: reporter.step(fraction, loss=loss),
        on_epoch=reporter.epoch,
        stop_requested=lambda: reporter.stop_requested,
    )


def _predict(model: Any, pictures: Any) -> Any:
    """uint8 (n, S, S, 3) -> float32 (n, S, S, 1)."""
    run = tf.function(
        lambda batch: model(tf.cast(batch, tf.float32), training=False), reduce_retracing=True, autograph=False
    )
    batches = [pictures[start : start + PREDICT_BATCH] for start in range(0, len(pictures), PREDICT_BATCH)]
    return np.concatenate([run(tf.constant(batch)).numpy() for batch in batches])


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
    truth: Any,
    history: DecoderHistory,
    split: Split,
    folders: MaskFolders,
    exports: Exports,
    warnings: list[str],
) -> dict[str, Any]:
    everything = score_masks(truth, np.ones_like(truth))
    files = [pair.picture.relative_to(folders.project_dir).as_posix() for pair in folders.pairs]
    held_out = zip(split.held_out, scores.dice_per_image, strict=True)
    return {
        "headline": "dice: mean of the held-out pictures' own Dice, at the model's input size",
        "final": {**_headline(scores, len(files)), "pixel_accuracy": scores.pixel_accuracy},
        "baseline": {"all_foreground_dice": everything.dice, "all_foreground_iou": everything.iou},
        "history": [{"epoch": number, **epoch} for number, epoch in enumerate(history.epochs, start=1)],
        "best_epoch": history.best_epoch,
        "end_reason": history.end_reason,
        "labels": list(CLASSES),
        "per_class": scores.per_class,
        "confusion_matrix": scores.confusion,
        "images": {name: len(rows) for name, rows in dataclasses.asdict(split).items()},
        "exports": exports.report(scores.dice),
        "held_out": [{"file": files[row], "dice": dice} for row, dice in held_out],
        "skipped": [dataclasses.asdict(skip) for skip in folders.skipped],
        "warnings": warnings,
    }


def _manifest(
    job: Job,
    scores: MaskScores,
    exports: Exports,
    history: DecoderHistory,
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
        "labels": list(CLASSES),
        "input": {"shape": [None, size, size, 3], "dtype": "float32", "range": [0, 255], "channels": "RGB"},
        "output": {"shape": [None, size, size, 1], "dtype": "float32", "meaning": "probability of foreground"},
        "threshold": THRESHOLD,
        "metrics": {"dice": scores.dice, "iou": scores.iou, "dice_all_pixels": scores.dice_all_pixels},
        "best_epoch": history.best_epoch,
        "stopped_early": history.stopped_early,
        "model_file": exports.model_file(),
        "exports": exports.report(scores.dice),
        "versions": {
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
            "backbone_sha256": WEIGHTS_SHA256,
        },
        "warnings": warnings,
    }
