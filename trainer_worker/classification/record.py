"""What metrics.json and manifest.json say about a classifier."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from protocol.end_reason import EndReason
from trainer_worker.backbones.backbone import ChosenBackbone
from trainer_worker.classification.advice import NO_ADVICE, Advice
from trainer_worker.classification.dataset import Dataset
from trainer_worker.classification.fine_tuning import Classifier
from trainer_worker.classification.kind import KIND
from trainer_worker.classification.scores import ClassScores
from trainer_worker.exporting.checks import Exports
from trainer_worker.optimization.epochs import History
from trainer_worker.pictures.splits import Split


@dataclasses.dataclass(frozen=True)
class TrainedClassifier:
    """A trained classifier and what it was made from.

    advice: for the person with the photos; an empty one for an interim model. continued_from: the task whose model it
    continued from, or "".
    """

    data: Dataset
    split: Split
    chosen: ChosenBackbone
    classifier: Classifier
    history: History
    warnings: list[str]
    advice: Advice = NO_ADVICE
    continued_from: str = ""


def headline(scores: ClassScores, data: Dataset) -> dict[str, float]:
    return {
        "accuracy": scores.accuracy,
        "balanced_accuracy": scores.balanced_accuracy,
        "baseline_accuracy": scores.baseline_accuracy,
        "images": float(len(data.folders.files)),
    }


def describe_training(
    trained: TrainedClassifier, scores: ClassScores, probabilities: np.ndarray, exports: Exports
) -> dict[str, Any]:
    """The content of metrics.json. probabilities: float32 (n, labels) of the n held-out pictures."""
    data, split, history = trained.data, trained.split, trained.history
    labels = data.folders.labels
    held_out = [
        {
            "file": data.folders.name_of(row),
            "truth": labels[data.folders.classes[row]],
            "predicted": labels[int(given.argmax())],
            "probability": float(given.max()),
        }
        for row, given in zip(split.held_out, probabilities, strict=True)
    ]
    return {
        "headline": f"{KIND.headline}: share of the held-out images that the model names right",
        "final": headline(scores, data),
        "baseline": {"majority_class_accuracy": scores.baseline_accuracy},
        "history": [{"epoch": number, **epoch} for number, epoch in enumerate(history.epochs, start=1)],
        "end_reason": history.end_reason,
        "labels": list(labels),
        "per_class": scores.per_class,
        "confusion_matrix": scores.confusion,
        "images": {name: len(rows) for name, rows in dataclasses.asdict(split).items()},
        "exports": exports.report(scores.accuracy),
        "images_per_class": data.folders.counts(),
        "held_out": held_out,
        "learning_curve": trained.advice.learning_curve,
        "suspect_labels": list(trained.advice.suspect_labels),
        "grey_scale": data.folders.reader.grey.facts,
        "skipped": [dataclasses.asdict(skip) for skip in data.skipped],
        "warnings": trained.warnings,
    }


def describe_model(trained: TrainedClassifier, scores: ClassScores, exports: Exports) -> dict[str, Any]:
    """What the manifest says of a classifier besides what it says of every model."""
    data, history = trained.data, trained.history
    side, labels = trained.classifier.model.input_shape[1], list(data.folders.labels)
    expected = {"shape": [None, side, side, 3], "dtype": "float32", "range": [0, 255], "channels": "RGB"}
    return {
        "input": {**expected, "grey_scale": data.folders.reader.grey.facts},
        "output": {"shape": [None, len(labels)], "dtype": "float32", "meaning": "probability of each label"},
        "metrics": headline(scores, data),
        "end_reason": history.end_reason,
        "stopped_early": history.end_reason is EndReason.STOPPED,
        "continued_from": trained.continued_from or None,
        "exports": exports.report(scores.accuracy),
        "skipped": len(data.skipped),
        "warnings": trained.warnings,
    }
