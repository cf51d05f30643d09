"""trainType=segmentation: makes a U-Net from pictures with masks. The U-Net gives each pixel's probability of being
foreground, or of each class of classes.txt.

Read `train` from top to bottom.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from protocol.data_report import Severity
from protocol.end_reason import EndReason
from protocol.errors import TrainingError
from protocol.options import SegmentationOptions
from trainer_worker.attempt.job import Job, Phase, Reporter, TrainingResult
from trainer_worker.attempt.stages import Stages
from trainer_worker.attempt.time_budget import FIRST_MODEL_SHARE, TimeBudget
from trainer_worker.backbones.backbone import Backbone, ChosenBackbone
from trainer_worker.backbones.catalogue import choose_backbone
from trainer_worker.exporting.checks import Exports, HeldOut, start_runtimes
from trainer_worker.exporting.writing import CALIBRATION_PICTURES, expected_s, refuse_impossible
from trainer_worker.optimization.training_copies import encoder_twin
from trainer_worker.pictures.contents import content_groups, content_hashes
from trainer_worker.pictures.decoding_budget import DecodingBudget
from trainer_worker.pictures.splits import Split, given_split, stratified_split
from trainer_worker.pictures.user_files import skipped_warnings
from trainer_worker.publishing.publish import FIRST_MODEL, Publication, publish_model
from trainer_worker.segmentation import unet
from trainer_worker.segmentation.classes import pictures_with, rarest_class
from trainer_worker.segmentation.folders import Cutting, Examples, MaskFolders, read_pairs, scan
from trainer_worker.segmentation.kind import KIND
from trainer_worker.segmentation.predictions import MaskPredictor, decide
from trainer_worker.segmentation.record import describe_model, describe_training, headline
from trainer_worker.segmentation.scores import MaskScores, MaskTally, score_classes
from trainer_worker.segmentation.skip_features import VIEWS, SkipFeatures
from trainer_worker.segmentation.unet_training import (
    DecoderHistory,
    TrainingHooks,
    batch_size_for,
    fit_decoder,
    planned_epochs,
)

#: The encoder's features are kept up to this size (docs/choices.md, "Views of a picture in memory").
FEATURES_MEMORY_BYTES = 2 * 1024**3

# Seconds on two cores without bfloat16 at 224 px with lite0, for the plan only.
READ_S_PER_PICTURE = 0.02
ENCODE_S_PER_PICTURE = 0.006
TRAIN_START_S = 3.0
TRAIN_S_PER_PICTURE = 0.011
#: The part of a step that depends neither on the batch nor on the picture size.
TRAIN_S_PER_STEP = 0.007
CHECK_S_PER_PICTURE = 0.03
PUBLISH_S = 0.3
#: What follows training is planned to take this many times as long, because the machine may have other work.
FINISHING_MARGIN = 1.5
#: Reading ends after this share of the time budget. As much time is left to train the first model.
READING_SHARE = FIRST_MODEL_SHARE / 2
#: The first model of a time budget trains for at least this many optimizer steps, even if it is late then: after fewer
#: it is of no use (docs/choices.md, "First model of a segmenter's time budget").
FIRST_MODEL_STEPS = 12
#: The first model is scored on at most this many pictures. Scoring takes this many seconds before the first of them.
FIRST_MODEL_CHECKED = 20
FIRST_CHECK_START_S = 1.5
#: Planned tiles of a picture that is scored whole. The real number is not known before the picture is read.
TILES_SCORED = 40


def train(job: Job, reporter: Reporter, cache_dir: Path, threads: int) -> TrainingResult:
    """Train, score, export, check and publish one segmentation model.

    cache_dir: not needed by this trainer. threads: for decoding pictures and checking the exports.
    Raises TrainingError for what the caller can mend and Cancelled after a cancel; then nothing is published.
    """
    options = _options(job)
    budget = TimeBudget(options.time_budget)
    refuse_impossible(options.exports)
    start_runtimes(options.exports, threads)
    keras.utils.clear_session()
    keras.utils.set_random_seed(options.seed)
    if not tf.config.list_physical_devices("GPU"):  # costs nothing on a CPU, and some GPU kernels refuse it
        tf.config.experimental.enable_op_determinism()
    stages = Stages(reporter)
    folders = scan(job.pictures_dir, DecodingBudget(job.decoding_bytes))
    tiles = max(1, options.tiles)
    chosen = choose_backbone(job, lambda backbone: planned_s(len(folders.pairs), tiles, options, backbone))
    reporter.plan(_plan(len(folders.pairs), tiles, options, chosen.backbone))

    stages.enter("read")
    cutting = Cutting(options.image_size, options.tiles, options.seed)
    if budget.is_limited:  # the pictures that are read in time should be a random sample of all
        order = np.random.default_rng(options.seed).permutation(len(folders.pairs))
        folders.pairs = [folders.pairs[number] for number in order]
    examples = read_pairs(folders, cutting, threads, reporter.step, budget.by_s(READING_SHARE))
    present = classes_of_pairs(examples, folders)
    split = split_pairs(folders, present, options, lambda _: reporter.step(1.0))
    warnings = _warnings(folders, present, split)
    if cutting.most_tiles(len(folders.pairs)) < options.tiles:
        fewer = cutting.most_tiles(len(folders.pairs))
        warnings.append(f"Only {fewer} tiles of each picture were trained on, for lack of memory for {options.tiles}.")
    if examples.unread:
        all_pairs = len(folders.pairs) + examples.unread
        warnings.append(f"The time budget left {examples.unread} of {all_pairs} pictures unread.")
    tiles_each = len(examples.owners) / len(folders.pairs)
    reporter.plan(_plan(len(folders.pairs), tiles_each, options, chosen.backbone))

    stages.enter("train")
    encoder = unet.build_encoder(chosen.backbone, options.image_size)
    skip_shapes = [tuple(output.shape[1:]) for output in encoder.outputs]
    decoder = unet.build_decoder(skip_shapes, folders.classes.channels)
    quick = encoder_twin(encoder) if chosen.backbone.features_in_bfloat16 else encoder
    features = SkipFeatures(quick, examples.pictures, FEATURES_MEMORY_BYTES)
    model = unet.compose(encoder, decoder)
    finisher = _Finisher(
        model, decoder, chosen, examples, split, folders, warnings, job, reporter, stages, threads, budget
    )
    hooks = _hooks(reporter, finisher)
    rows = examples.rows_of(split.train)
    history = fit_decoder(decoder, features, examples.masks, rows, options, hooks, job.checkpoints)
    del quick, features
    if examples.unread and history.end_reason in (EndReason.CONVERGED, EndReason.EPOCHS):
        history.end_reason = EndReason.BUDGET
    if history.end_reason is EndReason.DIVERGED:
        rate, broke = f"learningRate={options.learning_rate:g} is too high", f"epoch {len(history.epochs) + 1}"
        warnings.append(f"{rate}: {broke} broke the model, so the one from before it is kept. Try a tenth of it.")
    model_path, scores = finisher.publish(history)
    stages.leave()
    return TrainingResult(
        model_path=model_path,
        metrics=headline(scores, len(folders.pairs)),
        stage_seconds=stages.seconds,
        end_reason=history.end_reason,
        details={"epochs": len(history.epochs), "warnings": warnings},
    )


class _Finisher:
    """Scores, exports, checks and publishes the current model: at the end, and once before with a time budget."""

    def __init__(
        self,
        model: Any,
        decoder: Any,
        chosen: ChosenBackbone,
        examples: Examples,
        split: Split,
        folders: MaskFolders,
        warnings: list[str],
        job: Job,
        reporter: Reporter,
        stages: Stages,
        threads: int,
        budget: TimeBudget,
    ) -> None:
        self._model, self._decoder, self._chosen = model, decoder, chosen
        self._examples, self._split, self._folders, self._warnings = examples, split, folders, warnings
        self._job, self._reporter, self._stages, self._threads = job, reporter, stages, threads
        self._options = _options(job)
        tiles_each = len(examples.owners) / len(folders.pairs)
        takes_s = FINISHING_MARGIN * sum(
            p.expected_s for p in _finishing(len(split.held_out), tiles_each, self._options, chosen.backbone)
        )
        self.end_by_s = budget.by_s(1.0, takes_s)
        first_takes_s = FINISHING_MARGIN * sum(p.expected_s for p in _first_finishing(self._options, chosen.backbone))
        self._first_by_s = budget.by_s(FIRST_MODEL_SHARE, first_takes_s)
        self._has_first = job.has_model

    def publish(self, history: DecoderHistory, prefix: str = "") -> tuple[Path, MaskScores]:
        """Returns the model's file and its scores. prefix: see publish_model."""
        examples, names, options = self._examples, self._folders.classes.names, self._options
        predictor = MaskPredictor(self._model)
        squares = np.array(examples.rows_of(self._split.held_out))
        if prefix:
            squares = squares[:: -(-len(squares) // FIRST_MODEL_CHECKED)]
        scored = examples.owners[squares]
        held_out, truth = examples.pictures[squares], examples.masks[squares]
        found, probabilities = predictor.of_squares(held_out)
        whole: Iterable[tuple[Any, Any]] = zip(truth, found, strict=True)
        tiles = 0 if prefix else options.tiles  # the first model is scored on squares, which is quicker
        if tiles:
            self._stages.enter("score")
            scored = self._split.held_out
            whole = predictor.of_files(self._folders, self._split.held_out, self._reporter.step)
        scores, baseline = _scores(whole, truth, names)
        checked_truth = truth[: len(probabilities)]

        def score(outputs: Any) -> float:
            return score_classes(checked_truth, decide(outputs), names).dice

        def describe(exports: Exports, of_exports: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
            warnings = [*scores.warnings(baseline), *self._warnings, *of_exports]
            report = {**exports.report(score(probabilities)), "pictures": len(probabilities)}
            metrics = describe_training(
                scores, baseline, history, scored, self._split, self._folders, report, tiles, warnings
            )
            manifest = describe_model(self._job, options.tiles, self._folders, scores, report, history, warnings)
            return metrics, manifest

        training = examples.rows_of(self._split.train)
        calibrating = training[:: max(1, len(training) // CALIBRATION_PICTURES)][:CALIBRATION_PICTURES]
        proof = HeldOut(held_out[: len(probabilities)], probabilities, score)
        pictures = examples.pictures
        publication = Publication(
            KIND, self._model, self._chosen, names, proof, lambda: pictures[calibrating], describe
        )
        path = publish_model(publication, self._job, self._reporter, self._stages, self._threads, prefix)
        return path, scores

    def wants_first(self, steps: int) -> bool:
        """Whether it is time for a first model, and enough optimizer steps have been taken for it to be of use."""
        return not self._has_first and steps >= FIRST_MODEL_STEPS and time.monotonic() >= self._first_by_s

    def publish_first(self, history: DecoderHistory) -> None:
        self._has_first = True
        path, _ = self.publish(history, FIRST_MODEL)
        self._reporter.usable(path)
        self._stages.enter("train")


def warm_up(cache_dir: Path, threads: int) -> None:
    """Does nothing: the encoder is built for each task, and its weights are read when this module is imported."""


def _options(job: Job) -> SegmentationOptions:
    if not isinstance(job.options, SegmentationOptions):
        raise TypeError(f"options of segmentation expected, not {type(job.options).__name__}")
    return job.options


def planned_s(pairs: int, tiles: float, options: SegmentationOptions, backbone: Backbone) -> float:
    """Planned seconds of the whole task with that backbone, without the first model of a time budget.

    tiles: see _plan.
    """
    phases = _plan(pairs, tiles, options, backbone)
    return sum(phase.expected_s for phase in phases if not phase.name.startswith(FIRST_MODEL))


def _plan(pairs: int, tiles: float, options: SegmentationOptions, backbone: Backbone) -> list[Phase]:
    """The phases of the task. tiles: how many squares of the model's input size a picture yields, on average."""
    size = (options.image_size / 224) ** 2
    held_out = max(1.0, pairs * options.validation_split)
    trained = (pairs - held_out) * tiles
    epochs = planned_epochs(math.ceil(trained), options)
    steps = epochs * math.ceil(trained / batch_size_for(math.ceil(trained), options))
    views = min(VIEWS, epochs)
    encode_s = views * ENCODE_S_PER_PICTURE * backbone.features_cost
    of_pictures_s = trained * (encode_s + epochs * TRAIN_S_PER_PICTURE) * size
    return [
        Phase("read", pairs * READ_S_PER_PICTURE * tiles),
        *(_first_finishing(options, backbone) if options.time_budget else ()),
        Phase("train", TRAIN_START_S + steps * TRAIN_S_PER_STEP + of_pictures_s),
        *_finishing(held_out, tiles, options, backbone),
    ]


def _first_finishing(options: SegmentationOptions, backbone: Backbone) -> list[Phase]:
    """The phases that publish the first model of a time budget."""
    check_s = CHECK_S_PER_PICTURE * (options.image_size / 224) ** 2 * backbone.features_cost
    return [
        Phase("first_export", expected_s(options.exports[:1]) * backbone.exports_cost),
        Phase("first_check", FIRST_CHECK_START_S + FIRST_MODEL_CHECKED * check_s + PUBLISH_S),
    ]


def _finishing(held_out: float, tiles: float, options: SegmentationOptions, backbone: Backbone) -> list[Phase]:
    """The phases after training."""
    check_s = CHECK_S_PER_PICTURE * (options.image_size / 224) ** 2 * backbone.features_cost
    return [
        *([Phase("score", held_out * TILES_SCORED * check_s)] if options.tiles else []),
        Phase("export", expected_s(options.exports) * backbone.exports_cost),
        Phase("check", 2.0 + held_out * tiles * check_s),
        Phase("publish", PUBLISH_S),
    ]


def classes_of_pairs(examples: Examples, folders: MaskFolders) -> Any:
    """Which classes the examples of each pair show: bool (pairs, classes)."""
    shown = pictures_with(examples.masks, len(folders.classes.names))
    return np.logical_or.reduceat(shown, _first_rows(examples))


def _first_rows(examples: Examples) -> Any:
    return np.flatnonzero(np.diff(examples.owners, prepend=-1))


def split_pairs(
    folders: MaskFolders,
    present: Any,
    options: SegmentationOptions,
    on_step: Callable[[float], None] | None = None,
) -> Split:
    """Split the pairs, by their numbers, into training and held-out set. Byte-identical pictures stay on one side.

    Both sides get their share of pictures with and without foreground, and of each class. on_step: see content_hashes.
    """
    pictures = [pair.picture for pair in folders.pairs]
    groups = content_groups(content_hashes(folders.reader.files, pictures, on_step))
    if (given := folders.callers_split()) is not None:
        split = given_split(rarest_class(present), groups, *given)
    else:
        split = stratified_split(rarest_class(present), groups, options.validation_split, options.seed)
    if not (len(split.train) and len(split.held_out)):
        raise TrainingError(
            "too_few_images",
            f"The {len(folders.pairs)} pictures with masks in images/ are only {len(set(groups.tolist()))} different "
            "ones; training and scoring each need pictures of their own. Add more.",
        )
    return split


def _warnings(folders: MaskFolders, present: Any, split: Split) -> list[str]:
    warnings = skipped_warnings(folders.skipped)
    warnings += [each.sentence for each in folders.findings if each.severity is not Severity.INFO]
    if folders.classes.listed:
        return warnings + _class_warnings(folders.classes.names, present, split)
    return warnings


def _class_warnings(names: Sequence[str], present: Any, split: Split) -> list[str]:
    """Which classes could not be learned or scored. The background is left out: masks without any are normal."""
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


def _hooks(reporter: Reporter, finisher: _Finisher) -> TrainingHooks:
    def why_end() -> EndReason | None:
        if reporter.stop_requested:
            return EndReason.STOPPED
        return EndReason.BUDGET if time.monotonic() >= finisher.end_by_s else None

    return TrainingHooks(
        on_step=lambda fraction, loss: reporter.step(fraction, loss=loss),
        on_epoch=reporter.epoch,
        why_end=why_end,
        wants_model=finisher.wants_first,
        on_model=finisher.publish_first,
        end_by_s=finisher.end_by_s,
    )


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
