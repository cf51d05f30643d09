"""What is written of a classifier: metrics.json and manifest.json. For the trainer process only."""

from __future__ import annotations

import dataclasses
import platform
from typing import Any

import keras
import msgspec
import numpy as np
import tensorflow as tf

from trainer_worker.backbones.efficientnet_lite import WEIGHTS_SHA256
from trainer_worker.class_scores import ClassScores
from trainer_worker.exports import ExportCheck
from trainer_worker.fine_tuning import Classifier, History
from trainer_worker.job import Job
from trainer_worker.labelled_pictures import Dataset, Split, picture_name


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained classifier and what it was made of. continued_from: the task whose model it went on from, or ""."""

    data: Dataset
    split: Split
    classifier: Classifier
    history: History
    warnings: list[str]
    continued_from: str = ""


def headline(scores: ClassScores, data: Dataset) -> dict[str, float]:
    return {
        "accuracy": scores.accuracy,
        "balanced_accuracy": scores.balanced_accuracy,
        "baseline_accuracy": scores.baseline_accuracy,
        "images": float(len(data.folders.files)),
    }


def describe_training(trained: Trained, scores: ClassScores, probabilities: np.ndarray, job: Job) -> dict[str, Any]:
    data, split, history = trained.data, trained.split, trained.history
    labels = data.folders.labels
    held_out = [
        {
            "file": picture_name(data.folders.files[row], job),
            "truth": labels[data.folders.classes[row]],
            "predicted": labels[int(given.argmax())],
            "probability": float(given.max()),
        }
        for row, given in zip(split.held_out, probabilities, strict=True)
    ]
    return {
        "headline": "accuracy: share of the held-out images that the model names right",
        "final": headline(scores, data),
        "baseline": {"majority_class_accuracy": scores.baseline_accuracy},
        "history": [{"epoch": number, **epoch} for number, epoch in enumerate(history.epochs)],
        "best_epoch": history.best_epoch,
        "end_reason": history.end_reason,
        "labels": list(labels),
        "per_class": scores.per_class,
        "confusion_matrix": scores.confusion,
        "images": {name: len(rows) for name, rows in dataclasses.asdict(split).items()},
        "held_out": held_out,
        "skipped": [{"file": picture_name(error.path, job), "reason": error.reason} for error in data.skipped],
        "warnings": trained.warnings,
    }


def describe_model(
    trained: Trained, scores: ClassScores, checks: list[ExportCheck], stage_seconds: dict[str, float], job: Job
) -> dict[str, Any]:
    data, history = trained.data, trained.history
    side, labels = job.options.image_size, list(data.folders.labels)
    return {
        "task_id": job.task_id,
        "attempt": job.attempt,
        "fingerprint": job.fingerprint,
        "train_type": job.train_type,
        "options": msgspec.to_builtins(job.options),
        "seed": job.options.seed,
        "labels": labels,
        "input": {"shape": [None, side, side, 3], "dtype": "float32", "range": [0, 255], "channels": "RGB"},
        "output": {"shape": [None, len(labels)], "dtype": "float32", "meaning": "probability of each label"},
        "metrics": headline(scores, data),
        "best_epoch": history.best_epoch,
        "end_reason": history.end_reason,
        "stopped_early": history.stopped_early,
        "continued_from": trained.continued_from or None,
        "exports": {"trained_model_score": scores.accuracy, "formats": [dataclasses.asdict(c) for c in checks]},
        "versions": {
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
            "backbone_sha256": WEIGHTS_SHA256,
        },
        "stage_seconds": dict(stage_seconds),
        "skipped": len(data.skipped),
        "warnings": trained.warnings,
    }
