"""What metrics.json and manifest.json say about a classifier."""

from __future__ import annotations

import dataclasses
from typing import Any

from protocol.end_reason import EndReason
from trainer_worker.backbones.backbone import ChosenBackbone
from trainer_worker.classification.advice import NO_ADVICE, Advice
from trainer_worker.classification.classifier import Classifier
from trainer_worker.classification.dataset import Dataset
from trainer_worker.classification.evaluation import Evaluation
from trainer_worker.classification.kind import KIND
from trainer_worker.classification.scores import ClassScores
from trainer_worker.classification.splitting import Partition
from trainer_worker.optimization.epochs import History
from trainer_worker.pictures.copies import copy_groups
from trainer_worker.publishing.model_input import model_input


@dataclasses.dataclass(frozen=True)
class TrainedClassifier:
    """A trained classifier, what it was made from, and the predictions that score it.

    advice: for the person with the photos; an empty one for an interim model. continued_from: the task whose model it
    continued from, or "". is_mirrored: whether it learned from mirrored pictures.
    """

    data: Dataset
    partition: Partition
    evaluation: Evaluation
    chosen: ChosenBackbone
    classifier: Classifier
    history: History
    warnings: list[str]
    advice: Advice = NO_ADVICE
    continued_from: str = ""
    is_mirrored: bool = False


def headline(scores: ClassScores, data: Dataset) -> dict[str, float]:
    return {
        "accuracy": scores.accuracy,
        "accuracy_low": scores.interval[0],
        "accuracy_high": scores.interval[1],
        "balanced_accuracy": scores.balanced_accuracy,
        "baseline_accuracy": scores.baseline_accuracy,
        "images": float(len(data.folders.files)),
    }


def describe_score(scores: ClassScores, evaluation: Evaluation) -> dict[str, Any]:
    """The one score of the model, in figures and in words."""
    return {
        "name": KIND.headline,
        "value": scores.accuracy,
        "low": scores.interval[0],
        "high": scores.interval[1],
        "pictures": scores.pictures,
        "right": scores.right,
        "method": "cross_validation" if evaluation.models > 1 else "held_out",
        "folds": evaluation.models,
        "enough": scores.enough,
        "sentence": scores.sentence(),
    }


def describe_training(trained: TrainedClassifier, scores: ClassScores, exports: dict[str, Any]) -> dict[str, Any]:
    """The content of metrics.json."""
    data, evaluation, history = trained.data, trained.evaluation, trained.history
    entries = _answers(data, evaluation)
    folds = evaluation.folds.tolist()
    return {
        "headline": f"{KIND.headline}: share of the pictures that a model names right which it was not trained on",
        "score": describe_score(scores, evaluation),
        "final": headline(scores, data),
        "baseline": {"majority_class_accuracy": scores.baseline_accuracy},
        "history": [{"epoch": number, **epoch} for number, epoch in enumerate(history.epochs, start=1)],
        "end_reason": history.end_reason,
        "labels": list(data.folders.labels),
        "per_class": scores.per_class,
        "confusion_matrix": scores.confusion,
        "images": {name: len(rows) for name, rows in dataclasses.asdict(trained.partition.split).items()},
        "exports": exports,
        "images_per_class": data.folders.counts(),
        "copies": copy_groups(trained.partition.copies),
        "held_out": [entry for entry, fold in zip(entries, folds, strict=True) if fold == 0],
        "cross_validated": [{**entry, "fold": fold} for entry, fold in zip(entries, folds, strict=True) if fold],
        "learning_curve": trained.advice.learning_curve,
        "suspect_labels": list(trained.advice.suspect_labels),
        "grey_scale": data.folders.reader.grey.facts,
        "skipped": [dataclasses.asdict(skip) for skip in data.skipped],
        "warnings": trained.warnings,
    }


def _answers(data: Dataset, evaluation: Evaluation) -> list[dict[str, Any]]:
    """For each picture of the evaluation its file, its content, its label, and what a model answered."""
    labels = data.folders.labels
    return [
        {
            "file": data.folders.name_of(row),
            "sha256": data.contents[row],
            "truth": labels[data.folders.classes[row]],
            "predicted": labels[int(given.argmax())],
            "probability": float(given.max()),
        }
        for row, given in zip(evaluation.rows, evaluation.probabilities, strict=True)
    ]


def describe_model(trained: TrainedClassifier, scores: ClassScores, exports: dict[str, Any]) -> dict[str, Any]:
    """What the manifest says of a classifier besides what it says of every model."""
    data, history = trained.data, trained.history
    side, labels = trained.classifier.model.input_shape[1], list(data.folders.labels)
    return {
        "input": model_input(side, data.folders.reader.grey),
        "output": {"shape": [None, len(labels)], "dtype": "float32", "meaning": "calibrated probability of each label"},
        "metrics": headline(scores, data),
        "score": describe_score(scores, trained.evaluation),
        "end_reason": history.end_reason,
        "stopped_early": history.end_reason is EndReason.STOPPED,
        "continued_from": trained.continued_from or None,
        "exports": exports,
        "skipped": len(data.skipped),
        "warnings": trained.warnings,
    }
