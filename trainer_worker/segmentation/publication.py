"""Scores a trained segmenter on its held-out pictures and publishes it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from trainer_worker.attempt.attempt import Attempt
from trainer_worker.exporting.checks import Exports, HeldOut
from trainer_worker.exporting.temperature import at_temperature
from trainer_worker.exporting.writers import ModelToExport
from trainer_worker.exporting.writing import CALIBRATION_PICTURES
from trainer_worker.project.held_out import HeldOutScores
from trainer_worker.publishing.publish import Publication, PublishedModel
from trainer_worker.segmentation import unet
from trainer_worker.segmentation.decisions import decide
from trainer_worker.segmentation.headline import DICE, DICE_OF_SOME, DICE_OF_SQUARES
from trainer_worker.segmentation.kind import KIND
from trainer_worker.segmentation.pixel_calibration import calibrate_pixels
from trainer_worker.segmentation.plan import INTERIM_CHECKED
from trainer_worker.segmentation.predictions import MaskPredictor
from trainer_worker.segmentation.record import (
    ScoredMasks,
    TrainedSegmenter,
    describe_model,
    describe_training,
    describe_use,
)
from trainer_worker.segmentation.scores import MaskScores, MaskTally, score_class_masks
from trainer_worker.segmentation.shown_masks import ShownMasks


def publish_segmenter(
    trained: TrainedSegmenter, attempt: Attempt, interim: bool = False
) -> tuple[PublishedModel, ScoredMasks]:
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
    masks: list[str] = []

    def noting(pairs: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
        for true, predicted in pairs:
            masks.append(_hash_of(true))
            yield true, predicted

    if trained.tiles and not interim:
        attempt.stages.enter("score")
        whole = predictor.of_files(trained.data.folders, split.held_out, attempt.reporter.step)
        scored = ScoredMasks(DICE, *_scores(noting(whole), truth, names), split.held_out, own_size=True)
    else:
        pairs = noting(zip(truth, found, strict=True))
        name = DICE_OF_SQUARES if trained.tiles else DICE
        scored = ScoredMasks(name, *_scores(pairs, truth, names), examples.owners[squares], own_size=False)
    checked_truth = truth[: len(probabilities)]
    owners = trained.data.copies.together[examples.owners[squares]]
    calibration, probabilities = calibrate_pixels(probabilities, checked_truth, owners, attempt.job.options.seed)

    def score(outputs: Any) -> float:
        return score_class_masks(checked_truth, decide(outputs), names).dice

    def describe(exports: Exports, warnings: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        described = dataclasses.replace(trained, warnings=[*scored.warnings, *trained.warnings, *warnings])
        report = exports.report()
        metrics, manifest = describe_training(described, scored, report), describe_model(described, scored, report)
        return (
            metrics | {"calibration": calibration and calibration.report()},
            manifest | {"calibration": calibration and calibration.facts()},
        )

    proof = HeldOut(pictures[: len(probabilities)], probabilities, score, _name_of_proof(trained, probabilities, truth))
    source = ModelToExport(trained.model, _calibration(trained), trained.chosen.backbone.is_operators_own)
    contents = [trained.data.contents[pair] for pair in scored.pairs]
    of_pictures = HeldOutScores.of(scored.name, contents, masks, scored.scores.dice_per_image)
    shown = ShownMasks(trained, predictor, scored, (pictures, truth, found))
    publication = Publication(
        KIND, source, trained.chosen, names, describe_use(trained), proof, of_pictures, describe, shown.overlays
    )
    with at_temperature([unet.logits_of(trained.model)], calibration.temperature if calibration else 1.0):
        return publication.publish(attempt, interim), scored


def _name_of_proof(trained: TrainedSegmenter, probabilities: Any, truth: Any) -> str:
    """The name of the score that exported files are compared by."""
    if trained.tiles:
        return DICE_OF_SQUARES
    return DICE if len(probabilities) == len(truth) else DICE_OF_SOME


def _hash_of(mask: Any) -> str:
    """Tells whether two models were scored against the same mask, at the same size."""
    return hashlib.sha256(repr(mask.shape).encode() + np.ascontiguousarray(mask).tobytes()).hexdigest()


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
