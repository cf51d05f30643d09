"""Scores a trained classifier on its held-out pictures and publishes it."""

from __future__ import annotations

import dataclasses
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from trainer_worker.attempt.attempt import Attempt
from trainer_worker.classification.confidence import measure_confidence
from trainer_worker.classification.dataset import Dataset
from trainer_worker.classification.kind import KIND
from trainer_worker.classification.record import TrainedClassifier, describe_model, describe_training
from trainer_worker.classification.report import HELD_OUT_ACCURACY
from trainer_worker.classification.score_warnings import score_warnings
from trainer_worker.classification.scores import (
    ClassScores,
    Predictions,
    accuracy,
    score_classes,
)
from trainer_worker.exporting.checks import Exports, HeldOut
from trainer_worker.exporting.model_use import ModelUse, as_written
from trainer_worker.exporting.temperature import at_temperature
from trainer_worker.exporting.writers import ModelToExport
from trainer_worker.exporting.writing import CALIBRATION_PICTURES
from trainer_worker.pictures.images import UnreadableImageError, picture_changed, read_rgb
from trainer_worker.pictures.splits import Split
from trainer_worker.project.held_out import HeldOutScores
from trainer_worker.publishing.publish import Publication, PublishedModel


def publish_classifier(
    trained: TrainedClassifier, attempt: Attempt, interim: bool = False
) -> tuple[PublishedModel, ClassScores]:
    """Returns the published model and its scores. interim: whether a better model will replace this one."""
    data, split = trained.data, trained.partition.split
    seed = attempt.job.options.seed
    confidence, evaluation = measure_confidence(data, trained.partition, trained.evaluation, seed)
    trained = dataclasses.replace(trained, evaluation=evaluation)
    classes, labels = data.folders.classes, data.folders.labels
    groups = trained.partition.copies.together[evaluation.rows]
    scores = score_classes(Predictions(classes[evaluation.rows], evaluation.probabilities, groups), labels)
    score = functools.partial(accuracy, classes[split.held_out])

    def describe(exports: Exports, warnings: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        said = score_warnings(scores, trained.is_mirrored)
        described = dataclasses.replace(trained, warnings=[*said, *trained.warnings, *warnings])
        report = exports.report()
        metrics, manifest = describe_training(described, scores, report), describe_model(described, scores, report)
        return metrics | confidence.report(), manifest | confidence.facts()

    side_px = trained.classifier.model.input_shape[1]
    pictures = _pictures(data, split.held_out, side_px, attempt.threads)
    proof = HeldOut(pictures, evaluation.held_out, score, HELD_OUT_ACCURACY)
    calibration = functools.partial(_pictures, data, _spread(split.train), side_px, attempt.threads)
    source = ModelToExport(trained.classifier.model, calibration, trained.chosen.backbone.is_operators_own)
    of_pictures = _scored(data, split, evaluation.held_out)
    use = ModelUse(
        train_type=KIND.train_type,
        labels=as_written(labels),
        side_px=side_px,
        is_mask=False,
        grey_scale=data.folders.reader.grey.facts,
        unknown_below=confidence.unknown.threshold,
    )
    publication = Publication(KIND, source, trained.chosen, labels, use, proof, of_pictures, describe)
    with at_temperature(trained.classifier.logits, confidence.calibration.temperature):
        return publication.publish(attempt, interim), scores


def _scored(data: Dataset, split: Split, probabilities: np.ndarray) -> HeldOutScores:
    """Which held-out pictures the model has right. probabilities: float32 (n, labels), in the order of held_out."""
    folders, right = data.folders, probabilities.argmax(axis=1) == data.folders.classes[split.held_out]
    contents = [data.contents[row] for row in split.held_out]
    truths = [folders.labels[folders.classes[row]] for row in split.held_out]
    return HeldOutScores.of(KIND.headline, contents, truths, right.tolist())


def _spread(rows: np.ndarray) -> np.ndarray:
    """Up to CALIBRATION_PICTURES of these rows at even distances, so that every class has some."""
    spread: np.ndarray = rows[np.linspace(0, len(rows) - 1, min(len(rows), CALIBRATION_PICTURES)).astype(int)]
    return spread


def _pictures(data: Dataset, rows: np.ndarray, side_px: int, threads: int) -> np.ndarray:
    """The pictures of these rows as the model takes them, uint8 (n, S, S, 3), decoded in so many threads."""
    reader, paths = data.folders.reader, [data.folders.files[row] for row in rows]
    try:
        with ThreadPoolExecutor(threads) as pool:
            return np.stack(list(pool.map(lambda path: read_rgb(reader, path, (side_px, side_px)), paths)))
    except UnreadableImageError as error:
        raise picture_changed(error) from error
