"""trainType=classification: class folders in, a model out that gives each class's probability.

Read `train` from top to bottom. Imports TensorFlow; for the trainer process only.
"""

from __future__ import annotations

import dataclasses
import functools
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
import tensorflow as tf

from protocol.errors import TrainingError
from trainer_worker.artifacts import ModelFolder, write_json, write_labels
from trainer_worker.backbones.efficientnet_lite import WEIGHTS_SHA256
from trainer_worker.class_scores import ClassScores, accuracy, score_classes
from trainer_worker.data.class_folders import ClassFolders, keep_trainable, scan
from trainer_worker.data.images import UnreadableImageError, read_rgb
from trainer_worker.data.splits import conflicts, content_groups, stratified_split
from trainer_worker.export_checks import ExportChecks, Exports, HeldOut, start_runtimes
from trainer_worker.exports import CALIBRATION_PICTURES, expected_s, export_model, refuse_impossible
from trainer_worker.features import FeatureExtractor, PictureFeatures
from trainer_worker.fine_tuning import Examples, History, build_classifier, fit, predict
from trainer_worker.job import Job, Phase, Reporter, TrainingResult
from trainer_worker.stages import Stages

#: Share of the training images that choose the best epoch.
INNER_VALIDATION_SHARE = 0.15
#: Mirrored views are kept beside the pictures while their maps fit: 5,000 pictures at 224 px take 190 MB a view.
MIRROR_UP_TO_BYTES = 256 * 1024**2
FEATURES_CHECKPOINT = "features"
MIRRORED_CHECKPOINT = "mirrored"
#: Images that the plan assumes until the folder has been read.
ASSUMED_IMAGES = 200

# Seconds on two cores at 224 px, for the plan only.
FEATURES_S_PER_IMAGE = 0.011
FEATURES_START_S = 0.5
TRAIN_S_PER_IMAGE = 0.045
TRAIN_START_S = 5.0
CHECK_S_PER_IMAGE = 0.015
CHECK_START_S = 1.0
PUBLISH_S = 0.3


@dataclasses.dataclass(frozen=True)
class Split:
    """Row numbers. `validation` chooses the best epoch; `held_out` is looked at once, at the end."""

    train: np.ndarray
    validation: np.ndarray
    held_out: np.ndarray


@dataclasses.dataclass(frozen=True)
class Dataset:
    """What the feature stage leaves. maps: trunk maps float32 (n, h, w, c). skipped: unreadable files."""

    folders: ClassFolders
    maps: np.ndarray
    pooled: np.ndarray
    skipped: list[UnreadableImageError]


def train(job: Job, reporter: Reporter, cache_dir: Path, threads: int) -> TrainingResult:
    """Train, score, export, check and publish one classifier.

    cache_dir: where the converted backbone is kept from task to task. threads: for decoding and features.
    Raises TrainingError for what the caller can mend, Cancelled when told to; then nothing is published.
    """
    options = job.options
    refuse_impossible(options.exports)
    start_runtimes(options.exports, threads)
    keras.utils.set_random_seed(options.seed)
    if not tf.config.list_physical_devices("GPU"):  # some GPU kernels refuse it
        tf.config.experimental.enable_op_determinism()
    stages = Stages(reporter)
    reporter.plan(_plan(ASSUMED_IMAGES, job))
    stages.enter("scan")
    folders = scan(job.project_dir)
    reporter.plan(_plan(len(folders.files), job))

    stages.enter("features")
    extractor = _extractor(options.image_size, threads, cache_dir)
    work = len(folders.files) * (2 - options.validation_split)
    data = _resume_features(folders, job)
    if data is None:
        job.checkpoints.clear()  # whatever else is there belongs to other pictures
        data = _read(folders, extractor, lambda done: reporter.step(min(1.0, done / work)))
        _save_features(data, folders, job)
    split, warnings = _split(data.folders, job)
    views = [data.maps]
    if data.maps.nbytes <= MIRROR_UP_TO_BYTES:
        views.append(_mirrored(data, split, extractor, job, lambda done: reporter.step(min(1.0, done / work))))

    stages.enter("train")
    classifier = build_classifier(options.image_size, len(data.folders.labels))
    examples = Examples(tuple(views), data.pooled, data.folders.classes)
    history = fit(classifier, examples, split.train, split.validation, options, reporter, job.checkpoints)
    truth = data.folders.classes[split.held_out]
    probabilities = predict(classifier, data.maps[split.held_out])
    scores = score_classes(truth, probabilities, data.folders.labels)
    del views, examples

    with ModelFolder(job.project_dir, job.task_id, job.attempt) as folder:
        stages.enter("export")
        calibration = functools.partial(_spread_pictures, data, split.train, job)
        with ExportChecks(_held_out(data, split, probabilities, job), threads) as checks:
            unwritten = export_model(
                classifier.model, folder.path, options.exports, calibration, checks.begin, reporter.step
            )
            stages.enter("check")
            exports = checks.finish(reporter.step, unwritten)
        warnings += exports.warnings()
        stages.enter("publish")
        write_labels(folder.path / "labels.txt", data.folders.labels)
        metrics = _metrics(job, data, split, scores, probabilities, history, exports, warnings)
        write_json(folder.path / "metrics.json", metrics)
        stages.leave()
        final = folder.publish(_manifest(job, data, scores, exports, history, stages.seconds, warnings))
    stages.leave()
    return TrainingResult(
        model_path=final / exports.model_file(),
        metrics=_headline(scores, data),
        stage_seconds=stages.seconds,
        stopped_early=history.stopped_early,
        details={"best_epoch": history.best_epoch, "warnings": warnings},
    )


def warm_up(cache_dir: Path, threads: int) -> None:
    """Make ready what the first task of the default image size would wait for."""
    _extractor(224, threads, cache_dir)


@functools.lru_cache(maxsize=1)
def _extractor(image_size: int, threads: int, cache_dir: Path) -> FeatureExtractor:
    """Kept from task to task: it holds no task's data, and website users rarely change the image size."""
    return FeatureExtractor(image_size, threads, cache_dir)


def _plan(images: int, job: Job) -> list[Phase]:
    size = (job.options.image_size / 224) ** 2
    held_out = images * job.options.validation_split
    views = 2 * images - held_out
    return [
        Phase("scan", 0.2),
        Phase("features", FEATURES_START_S + views * FEATURES_S_PER_IMAGE * size),
        Phase("train", TRAIN_START_S + (images - held_out) * TRAIN_S_PER_IMAGE * size),
        Phase("export", expected_s(job.options.exports)),
        Phase("check", CHECK_START_S + held_out * CHECK_S_PER_IMAGE * size),
        Phase("publish", PUBLISH_S),
    ]


def _read(folders: ClassFolders, extractor: FeatureExtractor, on_done: Callable[[int], None]) -> Dataset:
    """Features of every readable picture of every class that has enough of them."""
    found: list[PictureFeatures] = []
    unreadable: dict[int, UnreadableImageError] = {}
    for index, outcome in enumerate(extractor.of_files(folders.files)):
        if isinstance(outcome, UnreadableImageError):
            unreadable[index] = outcome
        else:
            found.append(outcome)
        on_done(index + 1)
    kept = keep_trainable(folders, unreadable)
    readable = [path for index, path in enumerate(folders.files) if index not in unreadable]
    position = {path: row for row, path in enumerate(readable)}
    rows = [position[path] for path in kept.files]
    maps = np.stack([found[row].trunk for row in rows])
    return Dataset(kept, maps, np.stack([found[row].pooled for row in rows]), list(unreadable.values()))


def _save_features(data: Dataset, folders: ClassFolders, job: Job) -> None:
    facts = {
        "files": [_name(path, job) for path in folders.files],
        "skipped": [(_name(error.path, job), error.reason) for error in data.skipped],
    }
    job.checkpoints.save(FEATURES_CHECKPOINT, facts, [data.maps, data.pooled])


def _resume_features(folders: ClassFolders, job: Job) -> Dataset | None:
    """What an earlier attempt has read, when the folder holds the same files now."""
    saved = job.checkpoints.load(FEATURES_CHECKPOINT)
    if saved is None or saved.facts["files"] != [_name(path, job) for path in folders.files]:
        return None
    skipped = {
        job.project_dir / name: UnreadableImageError(job.project_dir / name, reason)
        for name, reason in saved.facts["skipped"]
    }
    unreadable = {index: skipped[path] for index, path in enumerate(folders.files) if path in skipped}
    maps, pooled = saved.arrays
    return Dataset(keep_trainable(folders, unreadable), maps, pooled, list(skipped.values()))


def _mirrored(
    data: Dataset, split: Split, extractor: FeatureExtractor, job: Job, on_done: Callable[[int], None]
) -> np.ndarray:
    """Maps of the mirrored training pictures; all other rows stay as they are, and are not trained on."""
    saved = job.checkpoints.load(MIRRORED_CHECKPOINT)
    if saved is not None and saved.arrays[0].shape == data.maps.shape:
        return saved.arrays[0]
    maps = data.maps.copy()
    rows = np.concatenate([split.train, split.validation])
    outcomes = extractor.of_files([data.folders.files[row] for row in rows], mirrored=True)
    for done, (row, outcome) in enumerate(zip(rows, outcomes, strict=True), start=len(maps) + 1):
        if isinstance(outcome, PictureFeatures):  # else the file has gone meanwhile: its first view does
            maps[row] = outcome.trunk
        on_done(done)
    job.checkpoints.save(MIRRORED_CHECKPOINT, {}, [maps])
    return maps


def _split(folders: ClassFolders, job: Job) -> tuple[Split, list[str]]:
    """Held-out images first, inner validation from the rest; and every warning on the data."""
    groups = content_groups(folders.files)
    options = job.options
    outer = stratified_split(folders.classes, groups, options.validation_split, options.seed)
    if not len(outer.held_out):
        raise TrainingError(
            "too_few_classes",
            f"The images of {', '.join(folders.labels)} are copies of one picture for each class, or the same in "
            "several classes; scoring the model needs two different pictures of a class. Add more.",
        )
    rest = outer.train
    inner = stratified_split(folders.classes[rest], groups[rest], INNER_VALIDATION_SHARE, options.seed)
    split = Split(rest[inner.train], rest[inner.held_out], outer.held_out)
    return split, [*folders.warnings, *_warnings(folders, groups, split, job)]


def _warnings(folders: ClassFolders, groups: np.ndarray, split: Split, job: Job) -> list[str]:
    warnings = []
    for rows in conflicts(groups, folders.classes):
        names = ", ".join(_name(folders.files[row], job) for row in rows)
        warnings.append(f"The same picture stands in different classes: {names}. Keep only the right one.")
    scored = set(folders.classes[split.held_out].tolist())
    for index, label in enumerate(folders.labels):
        if index not in scored:
            warnings.append(f"Class {label!r} has no held-out image, as all of its images are the same; add others.")
    return warnings


def _held_out(data: Dataset, split: Split, probabilities: np.ndarray, job: Job) -> HeldOut:
    """What every export must reproduce, from the held-out pictures as they are on disk."""
    score = functools.partial(accuracy, data.folders.classes[split.held_out])
    return HeldOut(_pictures(data, split.held_out, job), probabilities, score)


def _spread_pictures(data: Dataset, rows: np.ndarray, job: Job) -> np.ndarray:
    """CALIBRATION_PICTURES of these rows at even distances: some of every class."""
    return _pictures(data, rows[np.linspace(0, len(rows) - 1, min(len(rows), CALIBRATION_PICTURES)).astype(int)], job)


def _pictures(data: Dataset, rows: np.ndarray, job: Job) -> np.ndarray:
    side = job.options.image_size
    return np.stack([read_rgb(data.folders.files[row], (side, side)) for row in rows])


def _name(path: Path, job: Job) -> str:
    return path.relative_to(job.project_dir).as_posix()


def _headline(scores: ClassScores, data: Dataset) -> dict[str, float]:
    return {
        "accuracy": scores.accuracy,
        "balanced_accuracy": scores.balanced_accuracy,
        "baseline_accuracy": scores.baseline_accuracy,
        "images": float(len(data.folders.files)),
    }


def _metrics(
    job: Job,
    data: Dataset,
    split: Split,
    scores: ClassScores,
    probabilities: np.ndarray,
    history: History,
    exports: Exports,
    warnings: list[str],
) -> dict[str, Any]:
    labels = data.folders.labels
    held_out = [
        {
            "file": _name(data.folders.files[row], job),
            "truth": labels[data.folders.classes[row]],
            "predicted": labels[int(given.argmax())],
            "probability": float(given.max()),
        }
        for row, given in zip(split.held_out, probabilities, strict=True)
    ]
    return {
        "headline": "accuracy: share of the held-out images that the model names right",
        "final": _headline(scores, data),
        "baseline": {"majority_class_accuracy": scores.baseline_accuracy},
        "history": [{"epoch": number, **epoch} for number, epoch in enumerate(history.epochs)],
        "best_epoch": history.best_epoch,
        "end_reason": history.end_reason,
        "labels": list(labels),
        "per_class": scores.per_class,
        "confusion_matrix": scores.confusion,
        "images": {name: len(rows) for name, rows in dataclasses.asdict(split).items()},
        "exports": exports.report(scores.accuracy),
        "held_out": held_out,
        "skipped": [{"file": _name(error.path, job), "reason": error.reason} for error in data.skipped],
        "warnings": warnings,
    }


def _manifest(
    job: Job,
    data: Dataset,
    scores: ClassScores,
    exports: Exports,
    history: History,
    stage_seconds: dict[str, float],
    warnings: list[str],
) -> dict[str, Any]:
    side, labels = job.options.image_size, list(data.folders.labels)
    return {
        "task_id": job.task_id,
        "attempt": job.attempt,
        "train_type": job.train_type,
        "options": msgspec.to_builtins(job.options),
        "seed": job.options.seed,
        "labels": labels,
        "input": {"shape": [None, side, side, 3], "dtype": "float32", "range": [0, 255], "channels": "RGB"},
        "output": {"shape": [None, len(labels)], "dtype": "float32", "meaning": "probability of each label"},
        "metrics": _headline(scores, data),
        "best_epoch": history.best_epoch,
        "stopped_early": history.stopped_early,
        "model_file": exports.model_file(),
        "exports": exports.report(scores.accuracy),
        "versions": {
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
            "backbone_sha256": WEIGHTS_SHA256,
        },
        "stage_seconds": dict(stage_seconds),
        "skipped": len(data.skipped),
        "warnings": warnings,
    }
