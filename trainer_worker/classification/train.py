"""trainType=classification: makes a model from class folders. The model gives the probability of each class.

Read `train` from top to bottom.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
import tensorflow as tf

from protocol.end_reason import EndReason
from protocol.errors import TrainingError
from trainer_worker.attempt.job import Job, Phase, Reporter, TrainingResult
from trainer_worker.attempt.stages import Stages
from trainer_worker.attempt.time_budget import FIRST_MODEL_SHARE, READING_SHARE, TimeBudget
from trainer_worker.backbones.backbone import Backbone, ChosenBackbone
from trainer_worker.backbones.catalogue import choose_backbone
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification.dataset import Dataset, balanced_order, read_dataset, split_dataset, varied_maps
from trainer_worker.classification.features import CachedFeatures, FeatureExtractor
from trainer_worker.classification.fine_tuning import (
    Classifier,
    Examples,
    History,
    build_classifier,
    fit,
    fit_head,
    fit_more,
    planned_epochs,
    predict,
)
from trainer_worker.classification.folders import ClassFolders, scan
from trainer_worker.classification.kind import KIND
from trainer_worker.classification.record import Trained, describe_model, describe_training, headline
from trainer_worker.classification.scores import ClassScores, accuracy, score_classes
from trainer_worker.exporting.checks import Exports, HeldOut, start_runtimes
from trainer_worker.exporting.writing import CALIBRATION_PICTURES, expected_s, refuse_impossible
from trainer_worker.pictures.decoding_budget import DecodingBudget
from trainer_worker.pictures.grey_scale import with_grey_scale
from trainer_worker.pictures.images import UnreadableImageError, picture_changed, read_rgb
from trainer_worker.pictures.splits import Split
from trainer_worker.project.continuation import LastTraining, recall, remember
from trainer_worker.publishing.publish import FIRST_MODEL, Publication, publish_model

#: Varied views are trained on if their maps take no more memory (docs/choices.md, "Views of a picture in memory").
VARY_UP_TO_BYTES = 256 * 1024**2

#: With fewer pictures every training begins anew: it takes only seconds, and old and new pictures count alike.
CONTINUE_FROM_IMAGES = 100

#: Weights from an earlier training are first tried on this many pictures.
WEIGHTS_TRIED_ON = 64

# Seconds on two cores at 224 px with lite0, for the plan only.
FEATURES_S_PER_IMAGE = 0.011
FEATURES_START_S = 0.5
TRAIN_S_PER_IMAGE_AND_PASS = 0.0038
TRAIN_START_S = 1.5
CHECK_S_PER_IMAGE = 0.015
CHECK_START_S = 1.0
PUBLISH_S = 0.3
FIRST_HEAD_S = 0.5
FIRST_CHECK_START_S = 0.2
#: The first model of a time budget is scored on at most this many pictures.
FIRST_MODEL_CHECKED = 50


def train(job: Job, reporter: Reporter, cache_dir: Path, threads: int) -> TrainingResult:
    """Train, score, export, check and publish one classifier.

    cache_dir: where the converted backbone is kept from task to task. threads: for decoding and features.
    Raises TrainingError for what the caller can mend and Cancelled after a cancel; then nothing is published.
    """
    options = job.options
    budget = TimeBudget(options.time_budget)
    refuse_impossible(options.exports)
    start_runtimes(options.exports, threads)
    keras.utils.set_random_seed(options.seed)
    if not tf.config.list_physical_devices("GPU"):  # some GPU kernels refuse it
        tf.config.experimental.enable_op_determinism()
    stages = Stages(reporter)
    folders = scan(job.pictures_dir, DecodingBudget(job.decoding_bytes))
    images = len(folders.files)
    chosen = choose_backbone(job, lambda backbone: planned_s(images, job, backbone))
    backbone = chosen.backbone
    reporter.plan(_plan(images, job, backbone))
    wants_first = budget.is_limited and not job.has_model
    stages.enter("first_features" if wants_first else "features")
    reader = with_grey_scale(folders.reader, folders.files, threads, lambda: reporter.step(0.0))
    folders = dataclasses.replace(folders, reader=reader)
    features = CachedFeatures(_extractor(backbone, options.image_size, threads, cache_dir), job.project)
    if wants_first:
        _publish_first_model(folders, features, chosen, budget, job, reporter, stages, threads)
        stages.enter("features")

    work = images * (2 - options.validation_split)

    def on_done(done: int) -> None:
        reporter.step(min(1.0, done / work))

    read_by_s = budget.by_s(READING_SHARE)
    data = read_dataset(folders, features, on_done, read_by_s)
    terms = _terms_of_continuation(data, backbone, job)
    classifier = build_classifier(backbone, options.image_size, len(data.folders.labels))
    last = _recall(classifier, data, terms, job)
    split, warnings = split_dataset(data, job, last)
    if data.unread:
        warnings.append(f"The time budget left {data.unread} of {images} pictures unread.")
    views = [data.maps]
    if data.maps.nbytes <= VARY_UP_TO_BYTES:
        views.append(varied_maps(data, split, features, on_done, read_by_s))

    stages.enter("train")
    examples = Examples(tuple(views), data.pooled, data.folders.classes)
    end_by_s = budget.by_s(1.0, reserve_s=_finishing_s(len(split.held_out), job, backbone))
    history = _fit(classifier, examples, data, split, last, end_by_s, job, reporter)
    del views, examples
    if data.unread and history.end_reason in (EndReason.CONVERGED, EndReason.EPOCHS):
        history.end_reason = EndReason.BUDGET
    if history.end_reason is EndReason.DIVERGED:
        rate = f"learningRate={options.learning_rate:g} is too high"
        warnings.append(f"{rate}: the training broke the model, so the one from before it is kept. Try a tenth of it.")

    trained = Trained(data, split, chosen, classifier, history, warnings, last.task_id if last else "")
    model_path, scores = _publish(trained, job, reporter, stages, threads)
    remember(job.project, terms, _this_training(trained, job))
    stages.leave()
    return TrainingResult(
        model_path=model_path,
        metrics=headline(scores, data),
        stage_seconds=stages.seconds,
        end_reason=history.end_reason,
        details={"epochs": len(history.epochs), "warnings": warnings},
    )


def _fit(
    classifier: Classifier,
    examples: Examples,
    data: Dataset,
    split: Split,
    last: LastTraining | None,
    end_by_s: float,
    job: Job,
    reporter: Reporter,
) -> History:
    """Train from the beginning, or continue from the folder's last training."""
    rows = split.train
    if last is None:
        return fit(classifier, examples, rows, job.options, reporter, job.checkpoints, end_by_s)
    known = last.sides(data.contents)[rows] == -1
    return fit_more(classifier, examples, rows[~known], rows[known], job.options, reporter, job.checkpoints)


def _recall(classifier: Classifier, data: Dataset, terms: dict[str, Any], job: Job) -> LastTraining | None:
    """The folder's last training if this one may continue from it. The classifier then has its weights."""
    if len(data.contents) < CONTINUE_FROM_IMAGES:
        return None
    fresh = classifier.tail.get_weights()
    last = recall(job.project, terms, data.contents, data.folders.classes, fresh)
    if last is None:
        return None
    classifier.tail.set_weights(last.weights)
    some = data.maps[:: -(-len(data.maps) // WEIGHTS_TRIED_ON)]
    if np.isfinite(predict(classifier, some)).all():
        return last
    # Finite weights that give NaN: no training of ours left this file.
    classifier.tail.set_weights(fresh)
    return None


def _this_training(trained: Trained, job: Job) -> LastTraining:
    """What the next training of this folder may continue from."""
    contents, classes = trained.data.contents, trained.data.folders.classes.tolist()
    held_out = frozenset(contents[row] for row in trained.split.held_out)
    weights = trained.classifier.tail.get_weights()
    return LastTraining(job.task_id, dict(zip(contents, classes, strict=True)), held_out, weights)


def _publish_first_model(
    folders: ClassFolders,
    features: CachedFeatures,
    chosen: ChosenBackbone,
    budget: TimeBudget,
    job: Job,
    reporter: Reporter,
    stages: Stages,
    threads: int,
) -> None:
    """Publish a head that is fitted to as many pictures as there is time for in the first part of the budget.

    Their features are cached for the final model. If the sample has too few readable pictures, no first model is
    published and no error is raised: only the whole folder decides whether the task can be trained.
    """
    until_s = budget.by_s(FIRST_MODEL_SHARE, _first_finishing_s(job, chosen.backbone))
    try:
        data = read_dataset(folders, features, lambda done: reporter.step(done / len(folders.files)), until_s)
        split, warnings = split_dataset(data, job, None)
    except TrainingError:
        return
    if len(split.held_out) > FIRST_MODEL_CHECKED:
        kept = balanced_order(data.folders.classes[split.held_out])[:FIRST_MODEL_CHECKED]
        split = dataclasses.replace(split, held_out=split.held_out[kept])
    classifier = build_classifier(chosen.backbone, job.options.image_size, len(data.folders.labels))
    fit_head(classifier, data.pooled[split.train], data.folders.classes[split.train])
    warnings = [*warnings, f"A first model, made of {len(data.contents)} of {len(folders.files)} pictures."]
    trained = Trained(data, split, chosen, classifier, History(), warnings)
    model_path, _ = _publish(trained, job, reporter, stages, threads, FIRST_MODEL)
    reporter.usable(model_path)


def _publish(
    trained: Trained, job: Job, reporter: Reporter, stages: Stages, threads: int, prefix: str = ""
) -> tuple[Path, ClassScores]:
    """Score the model on the held-out pictures and publish it; returns its file and scores.

    prefix: see publish_model.
    """
    data, split = trained.data, trained.split
    truth, labels = data.folders.classes[split.held_out], data.folders.labels
    probabilities = predict(trained.classifier, data.maps[split.held_out])
    scores = score_classes(truth, probabilities, labels)

    def describe(exports: Exports, warnings: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        described = dataclasses.replace(trained, warnings=[*scores.warnings(), *trained.warnings, *warnings])
        metrics = describe_training(described, scores, probabilities, exports)
        return metrics, describe_model(described, scores, exports, job)

    proof = HeldOut(_pictures(data, split.held_out, job), probabilities, functools.partial(accuracy, truth))
    calibration = functools.partial(_spread_pictures, data, split.train, job)
    publication = Publication(KIND, trained.classifier.model, trained.chosen, labels, proof, calibration, describe)
    return publish_model(publication, job, reporter, stages, threads, prefix), scores


def warm_up(cache_dir: Path, threads: int) -> None:
    """Convert the default backbone for the default image size, so that the first task need not wait for that."""
    _extractor(LITE0, 224, threads, cache_dir)


@functools.lru_cache(maxsize=1)
def _extractor(backbone: Backbone, image_size: int, threads: int, cache_dir: Path) -> FeatureExtractor:
    """Kept from task to task: it holds no data of a task, and a website's tasks rarely change backbone or size."""
    return FeatureExtractor(backbone, image_size, threads, cache_dir)


def planned_s(images: int, job: Job, backbone: Backbone) -> float:
    """Planned seconds of the whole task with that backbone, without the first model of a time budget."""
    return sum(phase.expected_s for phase in _plan(images, job, backbone) if not phase.name.startswith(FIRST_MODEL))


def _plan(images: int, job: Job, backbone: Backbone) -> list[Phase]:
    size = (job.options.image_size / 224) ** 2
    held_out = images * job.options.validation_split
    trained = images - held_out
    trained_on = trained * planned_epochs(math.ceil(trained), job.options)
    first_phases = [
        Phase("first_features", FIRST_MODEL_SHARE * job.options.time_budget / 2),
        Phase("first_export", expected_s(job.options.exports[:1]) * backbone.exports_cost),
        Phase("first_check", _first_check_s(job, backbone)),
    ]
    return [
        *(first_phases if job.options.time_budget else ()),
        Phase("features", FEATURES_START_S + (images + trained) * FEATURES_S_PER_IMAGE * size * backbone.features_cost),
        Phase("train", TRAIN_START_S + trained_on * TRAIN_S_PER_IMAGE_AND_PASS * size * backbone.training_cost),
        Phase("export", expected_s(job.options.exports) * backbone.exports_cost),
        Phase("check", _check_s(held_out, job, backbone)),
        Phase("publish", PUBLISH_S),
    ]


def _check_s(held_out: float, job: Job, backbone: Backbone) -> float:
    size = (job.options.image_size / 224) ** 2
    return CHECK_START_S + held_out * CHECK_S_PER_IMAGE * size * backbone.features_cost


def _first_check_s(job: Job, backbone: Backbone) -> float:
    size = (job.options.image_size / 224) ** 2
    return FIRST_CHECK_START_S + FIRST_MODEL_CHECKED * CHECK_S_PER_IMAGE * size * backbone.features_cost


def _first_finishing_s(job: Job, backbone: Backbone) -> float:
    """The seconds that a first model takes after its features: fitting the head, one export, its check, publishing."""
    export_s = expected_s(job.options.exports[:1]) * backbone.exports_cost
    return FIRST_HEAD_S + 1.5 * (export_s + _first_check_s(job, backbone) + PUBLISH_S)


def _finishing_s(held_out: int, job: Job, backbone: Backbone) -> float:
    """The seconds from the end of training to publication, times 1.5 because the machine may have other work."""
    export_s = expected_s(job.options.exports) * backbone.exports_cost
    return 1.5 * (export_s + _check_s(held_out, job, backbone) + PUBLISH_S)


def _terms_of_continuation(data: Dataset, backbone: Backbone, job: Job) -> dict[str, Any]:
    """What must not have changed if a training is to continue from the last one of the folder."""
    options = msgspec.to_builtins(job.options)
    for name in ("priority", "maxSeconds", "timeBudget", "exports", "backbone"):
        del options[name]
    return {
        "options": options,
        "labels": list(data.folders.labels),
        "grey": data.folders.reader.grey.facts,
        "set_aside": data.set_aside(),
        "backbone": [backbone.name, backbone.weights_sha256],  # not the option: "auto" may choose the same one
        "tensorflow": tf.__version__,
    }


def _spread_pictures(data: Dataset, rows: np.ndarray, job: Job) -> np.ndarray:
    """Up to CALIBRATION_PICTURES of these rows' pictures, at even distances, so that every class has some."""
    return _pictures(data, rows[np.linspace(0, len(rows) - 1, min(len(rows), CALIBRATION_PICTURES)).astype(int)], job)


def _pictures(data: Dataset, rows: np.ndarray, job: Job) -> np.ndarray:
    side = job.options.image_size
    try:
        return np.stack([read_rgb(data.folders.reader, data.folders.files[row], (side, side)) for row in rows])
    except UnreadableImageError as error:
        raise picture_changed(error) from error
