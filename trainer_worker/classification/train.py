"""trainType=classification: makes a model from class folders. The model gives the probability of each class.

Read `train` from top to bottom.
"""

from __future__ import annotations

from pathlib import Path

from protocol.data_report import DataReport
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import TrainingResult
from trainer_worker.attempt.stages import stage_name
from trainer_worker.backbones.catalogue import choose_backbone
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification.advice import Advice, advise
from trainer_worker.classification.continuing import recall_training, remember_training
from trainer_worker.classification.dataset import Dataset
from trainer_worker.classification.features import CachedFeatures, kept_extractor
from trainer_worker.classification.fine_tuning import LabelledFeatures, build_classifier, fit, fit_more
from trainer_worker.classification.folders import scan_class_folders
from trainer_worker.classification.interim_model import publish_interim_model
from trainer_worker.classification.plan import ClassifierPlan
from trainer_worker.classification.publication import publish_classifier
from trainer_worker.classification.reading import Reading
from trainer_worker.classification.record import TrainedClassifier, headline
from trainer_worker.classification.splitting import split_dataset
from trainer_worker.exporting.checks import start_runtimes
from trainer_worker.exporting.writing import refuse_impossible
from trainer_worker.optimization.repeatability import make_repeatable
from trainer_worker.pictures.copies import find_copies
from trainer_worker.pictures.decoding_budget import DecodingBudget


def train(attempt: Attempt) -> TrainingResult:
    """Train, score, export, check and publish one classifier.

    Raises TrainingError for what the caller can mend and Cancelled after a cancel; then nothing is published.
    """
    job, stages, options = attempt.job, attempt.stages, attempt.job.options
    refuse_impossible(options.exports)
    start_runtimes(options.exports, attempt.threads)
    make_repeatable(options.seed)
    folders = scan_class_folders(job.files, DecodingBudget(job.decoding_bytes))
    images = len(folders.files)
    chosen = choose_backbone(job, lambda backbone: ClassifierPlan(images, options, backbone).total_s)
    plan = ClassifierPlan(images, options, chosen.backbone)
    attempt.reporter.plan(plan.stages())

    wants_interim = attempt.wants_interim_model
    stages.enter(stage_name("features", wants_interim))
    attempt.found(folders.report())
    folders = folders.in_one_grey_scale(attempt.threads, lambda: attempt.reporter.step(0.0))
    extractor = kept_extractor(chosen.backbone, options.image_size, attempt.threads, attempt.cache_dir)
    features = CachedFeatures(extractor, job.project)
    if wants_interim:
        publish_interim_model(folders, features, chosen, attempt)
        stages.enter("features")
    reading = Reading(folders, features, attempt)
    data = reading.read()
    classifier = build_classifier(chosen.backbone, options.image_size, len(data.folders.labels))
    last = recall_training(classifier, data, chosen.backbone, job)
    split, report = split_dataset(data, options, last)
    advice, report = _advised(data, report, attempt)
    warnings = report.warnings()
    if data.unread:
        warnings.append(f"The time budget left {data.unread} of {images} pictures unread.")
    learned = LabelledFeatures(reading.views(data, split), data.pooled, data.folders.classes)

    stages.enter("train")
    if last is None:
        end_by_s = attempt.budget.by_s(1.0, plan.finishing_s(len(split.held_out)))
        history = fit(classifier, learned, split.train, attempt, end_by_s)
    else:
        known = last.sides(data.contents)[split.train] == -1
        history = fit_more(classifier, learned, split.train[~known], split.train[known], attempt)
    del learned
    if data.unread:
        history.was_cut_short()
    warnings += history.warnings(options.learning_rate)

    from_task = last.task_id if last else ""
    trained = TrainedClassifier(data, split, chosen, classifier, history, warnings, advice, from_task)
    published, scores = publish_classifier(trained, attempt)
    remember_training(trained, job)
    stages.leave()
    return TrainingResult(
        model_path=published.path,
        metrics=headline(scores, data),
        stage_seconds=stages.seconds,
        end_reason=history.end_reason,
        warnings=published.warnings,
        epochs=len(history.epochs),
    )


def _advised(data: Dataset, report: DataReport, attempt: Attempt) -> tuple[Advice, DataReport]:
    """Advice for the person with the photos, and the report with its findings, which is told to the reporter."""
    names = [data.folders.name_of(row) for row in range(len(data.contents))]
    together = find_copies(names, data.contents, data.thumbnails).together
    advice = advise(data, together, attempt.job.options.seed, lambda: attempt.reporter.step(0.0))
    report = advice.added_to(report)
    attempt.found(report)
    return advice, report


def warm_up(cache_dir: Path, threads: int) -> None:
    """Convert the default backbone for the default image size, so that the first task need not wait for that."""
    kept_extractor(LITE0, 224, threads, cache_dir)
