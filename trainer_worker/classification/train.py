"""trainType=classification: makes a model from class folders. The model gives the probability of each class.

Read `train` from top to bottom.
"""

from __future__ import annotations

from pathlib import Path

from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import TrainingResult
from trainer_worker.attempt.stages import stage_name
from trainer_worker.backbones.catalogue import choose_backbone
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification.advice import advise
from trainer_worker.classification.cached_features import CachedFeatures
from trainer_worker.classification.continuing import recall_training, remember_training
from trainer_worker.classification.features import kept_extractor
from trainer_worker.classification.fine_tuning import is_fine_tuned
from trainer_worker.classification.folders import scan_class_folders
from trainer_worker.classification.interim_model import publish_interim_model
from trainer_worker.classification.learning import Lesson
from trainer_worker.classification.plan import ClassifierPlan
from trainer_worker.classification.preparing import prepared_classifier
from trainer_worker.classification.publication import publish_classifier
from trainer_worker.classification.reading import Reading
from trainer_worker.classification.record import TrainedClassifier, headline
from trainer_worker.classification.shared_views import SharedViews
from trainer_worker.classification.splitting import folds_needed, split_dataset
from trainer_worker.exporting.checks import start_runtimes
from trainer_worker.exporting.writing import refuse_impossible
from trainer_worker.optimization.repeatability import make_repeatable
from trainer_worker.pictures.decoding_budget import DecodingBudget


def train(attempt: Attempt) -> TrainingResult:
    """Train, score, export, check and publish one classifier.

    Raises TrainingError for what the caller can correct and Cancelled after a cancel; then nothing is published.
    """
    job, stages, options = attempt.job, attempt.stages, attempt.job.options
    refuse_impossible(options.exports)
    start_runtimes(options.exports, attempt.threads)
    make_repeatable(options.seed)
    folders = scan_class_folders(job.files, DecodingBudget(job.decoding_bytes))
    images = len(folders.files)
    count = folds_needed(folders, options.validation_split)
    chosen = choose_backbone(job, lambda backbone: ClassifierPlan(images, options, backbone, count).total_s)
    refuse_impossible(options.exports, chosen.backbone.impossible_formats)
    attempt.learns_from = chosen.backbone.weights_sha256
    attempt.reporter.plan(ClassifierPlan(images, options, chosen.backbone, count).stages())

    wants_interim = attempt.wants_interim_model
    stages.enter(stage_name("features", wants_interim))
    attempt.found(folders.report())
    folders = folders.in_one_grey_scale(attempt.threads, lambda: attempt.reporter.step(0.0))
    extractor = kept_extractor(chosen.backbone, options.image_size, attempt.threads, attempt.cache_dir)
    shared = SharedViews(attempt, chosen.backbone.name, images)
    features = CachedFeatures(extractor, job.project, shared)
    if wants_interim:
        publish_interim_model(folders, features, chosen, attempt)
        stages.enter("features")
    reading = Reading(folders, features, attempt)
    with prepared_classifier(chosen.backbone, options.image_size, len(folders.labels)) as classifier_for:
        data = reading.read()
        classifier = classifier_for(len(data.folders.labels))
    last = recall_training(classifier, data, chosen.backbone, job)
    partition, report = split_dataset(data, options, job.gate.sides(data.contents, last))
    attempt.found(report)
    plan = ClassifierPlan(len(data.contents), options, chosen.backbone, partition.models)
    attempt.reporter.plan(plan.stages())
    views = (data.plain,) if classifier.is_head_alone else reading.views(data, partition.trained)

    stages.enter("advice")
    advice = advise(data, partition.copies.together, options.seed, lambda: attempt.reporter.step(0.0))
    report = report.with_findings([*reading.findings, *advice.findings])
    attempt.found(report)
    warnings = report.warnings()
    if data.unread:
        warnings.append(f"The time budget left {data.unread} of {images} pictures unread.")

    end_by_s = attempt.budget.by_s(1.0, plan.finishing_s(len(partition.split.held_out)))
    history, evaluation = Lesson(classifier, data, partition, last).learn(views, end_by_s, attempt)
    del views
    warnings += history.warnings(options.learning_rate)

    from_task = last.task_id if last else ""
    trained = TrainedClassifier(
        data, partition, evaluation, chosen, classifier, history, warnings, advice, from_task, reading.is_mirrored
    )
    published, scores = publish_classifier(trained, attempt)
    # Nothing continues from a model that is not in use, nor from layers that should have learned and have not.
    if published.promoted and (last is not None or classifier.is_head_alone or is_fine_tuned(history)):
        remember_training(trained, job)
    return published.result(headline(scores, data), attempt, history.end_reason, len(history.epochs))


def warm_up(cache_dir: Path, threads: int) -> None:
    """Convert the default backbone for the default image size, so that the first task need not wait for that."""
    kept_extractor(LITE0, 224, threads, cache_dir)
