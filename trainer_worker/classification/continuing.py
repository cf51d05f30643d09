"""Continues a training from the folder's last one, and leaves what the next training may continue from."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import tensorflow as tf

from protocol.options import WITHOUT_INFLUENCE
from trainer_worker.attempt.job import Job
from trainer_worker.backbones.backbone import Backbone
from trainer_worker.classification.classifier import Classifier, predict
from trainer_worker.classification.dataset import Dataset
from trainer_worker.classification.record import TrainedClassifier
from trainer_worker.classification.splitting import folds_needed
from trainer_worker.project.continuation import LastTraining, recall, remember

#: Weights from an earlier training are first tried on this many pictures.
WEIGHTS_TRIED_ON = 64


def recall_training(classifier: Classifier, data: Dataset, backbone: Backbone, job: Job) -> LastTraining | None:
    """The folder's last training if this one may continue from it. The classifier then has its weights.

    Folds are trained anew each time, so a set that needs them gains little from continuing.
    """
    if folds_needed(data.folders, job.options.validation_split) > 1:
        return None
    fresh = classifier.get_weights()
    last = recall(job.project, _terms(data, backbone, job), data.contents, data.folders.classes, fresh)
    if last is None:
        return None
    classifier.set_weights(last.weights)
    some = data.plain.of(slice(None, None, -(-len(data.contents) // WEIGHTS_TRIED_ON)))
    if np.isfinite(predict(classifier, some)).all():
        return last
    # Finite weights that give NaN: no training of ours left this file.
    classifier.set_weights(fresh)
    return None


def remember_training(trained: TrainedClassifier, job: Job) -> None:
    """Leave in the folder what its next training may continue from."""
    data = trained.data
    classes = dict(zip(data.contents, data.folders.classes.tolist(), strict=True))
    held_out = frozenset(data.contents[row] for row in trained.partition.split.held_out)
    training = LastTraining(job.task_id, classes, held_out, trained.classifier.get_weights())
    remember(job.project, _terms(data, trained.chosen.backbone, job), training)


def _terms(data: Dataset, backbone: Backbone, job: Job) -> dict[str, Any]:
    """What must not have changed if a training is to continue from the last one of the folder."""
    options = msgspec.to_builtins(job.options)
    for name in (*WITHOUT_INFLUENCE, "timeBudget", "exports", "backbone"):
        del options[name]
    return {
        "options": options,
        "labels": list(data.folders.labels),
        "set_aside": data.set_aside(),
        "grey": data.folders.reader.grey.facts,
        "backbone": [backbone.name, backbone.weights_sha256],  # not the option: "auto" may choose the same one
        "tensorflow": tf.__version__,
    }
