"""The interim model of a time budget: it is usable early, and the final model replaces it."""

from __future__ import annotations

import dataclasses

from protocol.errors import TrainingError
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.time_budget import INTERIM_MODEL_SHARE
from trainer_worker.backbones.backbone import ChosenBackbone
from trainer_worker.classification.cached_features import CachedFeatures
from trainer_worker.classification.classifier import build_classifier
from trainer_worker.classification.dataset import LabelledFeatures, balanced_order, read_dataset
from trainer_worker.classification.evaluation import evaluate
from trainer_worker.classification.folders import ClassFolders
from trainer_worker.classification.heads import fit_head
from trainer_worker.classification.plan import INTERIM_CHECKED, ClassifierPlan
from trainer_worker.classification.publication import publish_classifier
from trainer_worker.classification.record import TrainedClassifier
from trainer_worker.classification.splitting import split_dataset
from trainer_worker.optimization.epochs import History


def publish_interim_model(
    folders: ClassFolders, features: CachedFeatures, chosen: ChosenBackbone, attempt: Attempt
) -> None:
    """Publish a head that is fitted to as many pictures as there is time for in the first part of the budget.

    Their features are cached for the final model. If the sample has too few readable pictures, no interim model is
    published and no error is raised: only the whole folder decides whether the task can be trained.
    """
    job, images = attempt.job, len(folders.files)
    plan = ClassifierPlan(images, job.options, chosen.backbone)
    until_s = attempt.budget.by_s(INTERIM_MODEL_SHARE, plan.interim_finishing_s())

    def tell(done: int) -> None:
        attempt.reporter.step(min(1.0, (done + features.done_ahead) / images))

    try:
        data = read_dataset(folders, features, tell, until_s)
        partition, report = split_dataset(data, job.options)
    except TrainingError:
        return
    split = partition.split
    if len(split.held_out) > INTERIM_CHECKED:
        kept = balanced_order(data.folders.classes[split.held_out])[:INTERIM_CHECKED]
        split = dataclasses.replace(split, held_out=split.held_out[kept])
    partition = dataclasses.replace(partition, split=split, folds=None)
    classifier = build_classifier(chosen.backbone, job.options.image_size, len(data.folders.labels))
    fit_head(classifier, LabelledFeatures((data.plain,), data.folders.classes), split.train)
    warnings = [*report.warnings(), f"A first model, made of {len(data.contents)} of {images} pictures."]
    evaluation = evaluate(classifier, data, split)
    trained = TrainedClassifier(data, partition, evaluation, chosen, classifier, History(), warnings)
    published, _ = publish_classifier(trained, attempt, interim=True)
    attempt.reporter.usable(published.usable())
