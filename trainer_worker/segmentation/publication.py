"""Scores a trained segmenter on its held-out pictures and publishes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from trainer_worker.attempt.attempt import Attempt
from trainer_worker.exporting.checks import Exports, HeldOut
from trainer_worker.exporting.writers import ModelToExport
from trainer_worker.exporting.writing import CALIBRATION_PICTURES
from trainer_worker.publishing.publish import Publication, PublishedModel
from trainer_worker.segmentation.kind import KIND
from trainer_worker.segmentation.plan import INTERIM_CHECKED
from trainer_worker.segmentation.predictions import MaskPredictor, decide
from trainer_worker.segmentation.record import ScoredMasks, TrainedSegmenter, describe_model, describe_training
from trainer_worker.segmentation.scores import MaskScores, MaskTally, score_class_masks
from trainer_worker.segmentation.shown_masks import ShownMasks


def publish_segmenter(
    trained: TrainedSegmenter, attempt: Attempt, interim: bool = False
) -> tuple[PublishedModel, MaskScores]:
    """Returns the published model and its scores.

    interim: whether a better model will replace this one. Such a model is scored on few pictures, and on squares of
    them even if it is a model for tiles, because that is quicker.
    """
    examples, names, split = trained.data.examples, trained.data.folders.classes.names, trained.data.split
    predictor = MaskPredictor(trained.model)
    squares = np.array(examples.rows_of(split.held_out))
    if interim:
        squares = squares[:: -(-len(squares) // INTERIM_CHECKED)]
    pictures, truth = examples.pictures[squares], examples.masks[squares]
    found, probabilities = predictor.of_squares(pictures)
    if trained.tiles and not interim:
        attempt.stages.enter("score")
        whole = predictor.of_files(trained.data.folders, split.held_out, attempt.reporter.step)
        scored = ScoredMasks(*_scores(whole, truth, names), split.held_out, whole=True)
    else:
        pairs = zip(truth, found, strict=True)
        scored = ScoredMasks(*_scores(pairs, truth, names), examples.owners[squares], whole=False)
    checked_truth = truth[: len(probabilities)]

    def score(outputs: Any) -> float:
        return score_class_masks(checked_truth, decide(outputs), names).dice

    def describe(exports: Exports, warnings: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        warnings = [*scored.scores.warnings(scored.baseline), *trained.warnings, *warnings]
        described = dataclasses.replace(trained, warnings=warnings)
        report = {**exports.report(score(probabilities)), "pictures": len(probabilities)}
        return describe_training(described, scored, report), describe_model(described, scored, report)

    proof = HeldOut(pictures[: len(probabilities)], probabilities, score)
    source = ModelToExport(trained.model, _calibration(trained))
    shown = ShownMasks(trained, predictor, scored, (pictures, truth, found))
    publication = Publication(KIND, source, trained.chosen, names, proof, describe, shown.overlays)
    return publication.publish(attempt, interim), scored.scores


def _calibration(trained: TrainedSegmenter) -> Callable[[], Any]:
    """Gives up to CALIBRATION_PICTURES of the training pictures, uint8 (k, S, S, 3)."""
    examples = trained.data.examples
    rows = examples.rows_of(trained.data.split.train)
    spread = rows[:: max(1, len(rows) // CALIBRATION_PICTURES)][:CALIBRATION_PICTURES]
    return lambda: examples.pictures[spread]


def _scores(whole: Iterable[tuple[Any, Any]], squares: Any, names: Sequence[str]) -> tuple[MaskScores, MaskScores]:
    """The scores of the model and of a baseline that predicts the most common foreground class for every pixel.

    whole: held-out masks (truth, found). squares: true masks (n, S, S), which tell the most common class.
    """
    pixels = np.sum([np.bincount(mask.ravel(), minlength=len(names))[: len(names)] for mask in squares], axis=0)
    commonest = 1 + int(np.argmax(pixels[1:]))
    model, baseline = MaskTally(names), MaskTally(names)
    for truth, found in whole:
        model.add(truth, found)
        baseline.add(truth, np.full_like(truth, commonest))
    return model.scores(), baseline.scores()
