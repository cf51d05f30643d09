"""Trains a classifier's head, and the backbone's last blocks with it, on feature maps kept in memory.

First the head alone is fitted, as a logistic regression on the pooled features. Then head and last blocks train
together for a few epochs. The trunk below them never runs again, so an epoch of 1,000 pictures takes seconds on a CPU.
At the end the early head joins them, as a logistic regression of its own.
Small classes count as much as large ones: the regressions weight their pictures, and the epochs draw them more often.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from protocol.end_reason import EndReason
from protocol.options import TrainingOptions
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.classification.classifier import Classifier
from trainer_worker.classification.dataset import LabelledFeatures
from trainer_worker.classification.heads import fit_early_head, fit_head, start_head
from trainer_worker.classification.regression import image_weights, logit_adjustment
from trainer_worker.optimization.epochs import Course, EpochLoop, History, Learner
from trainer_worker.optimization.learning_rate import RateSchedule

#: Few pictures train for as many epochs as make this many steps, within these bounds (docs/choices.md, "Optimizer steps
#: of a classifier").
WANTED_STEPS = 30
MIN_EPOCHS = 6
MAX_EPOCHS = 20
#: Share of the pooled features that a training step drops: for up to FEW_IMAGES training pictures, and for more. Few
#: pictures are memorised sooner, so they need more dropout (docs/choices.md, "Dropout of few and of many pictures").
DROPOUT_OF_FEW, DROPOUT = 0.5, 0.2
FEW_IMAGES = 200
WARM_UP_STEPS = 8
#: A model that was fine-tuned for fewer steps is no better than the head's regression alone (docs/choices.md, "Fewest
#: steps that are worth training").
LEAST_STEPS = 10
#: An epoch has broken the model if its mean loss is NaN or more than this many times the loss of guessing.
DIVERGED_ABOVE = 10.0
#: Epochs of a training that continues from the last one after a few new pictures.
EPOCHS_OVER_NEW = 2
#: Such a training also rehearses this many known pictures for each new one, and at least this many batches of them.
REHEARSED_A_NEW_PICTURE = 4
REHEARSED_BATCHES = 4
#: Such a training uses this share of the learning rate, because the full rate would disturb weights that have settled
#: (docs/choices.md, "Learning rate for a few new pictures").
RATE_SHARE_OVER_NEW = 0.1


def planned_epochs(images: int, options: TrainingOptions) -> int:
    """Epochs of fine-tuning for this many images: the fewer images, the more epochs, but never more than the option."""
    steps = math.ceil(images / options.batch_size)
    return min(options.epochs, max(MIN_EPOCHS, min(MAX_EPOCHS, math.ceil(WANTED_STEPS / steps))))


def dropout_for(images: int) -> float:
    return DROPOUT_OF_FEW if images <= FEW_IMAGES else DROPOUT


def fit(
    classifier: Classifier,
    features: LabelledFeatures,
    rows: np.ndarray,
    attempt: Attempt,
    end_by_s: float = math.inf,
) -> History:
    """Train on these rows: first the head's regression, then planned_epochs of fine-tuning.

    Every row trains; none is held back to choose an epoch (docs/choices.md, "No inner validation"). The learning rate
    falls to nearly nothing by the last epoch, or by end_by_s (monotonic seconds) if that comes first, so the weights
    have settled in either case. If there was no time for fine-tuning, or it broke the model, the model is the
    regression alone. EpochLoop says what the reporter hears and how a later attempt continues.
    """
    options = attempt.job.options
    if not classifier.is_head_alone:
        start_head(classifier, features, rows)
    learner = _learner(classifier, features, Drawing(rows, options.batch_size, dropout_for(len(rows))), rows)
    steps = math.ceil(len(rows) / options.batch_size)
    epochs = 0 if classifier.is_head_alone else planned_epochs(len(rows), options)
    rate = RateSchedule(options.learning_rate, epochs * steps, WARM_UP_STEPS)
    history = EpochLoop(learner, Course("fit", rows.tolist(), epochs, steps, rate, end_by_s), attempt).run()
    if history.end_reason is EndReason.CONVERGED and epochs == options.epochs:
        history.end_reason = EndReason.EPOCHS
    if is_fine_tuned(history):
        classifier.tail.set_weights(learner.network.get_weights())
        fit_early_head(classifier, features, rows)
    else:
        fit_head(classifier, features, rows)
    return history


def is_fine_tuned(history: History) -> bool:
    """Whether `fit` has made a fine-tuned model, and not a regression alone."""
    return history.end_reason is not EndReason.DIVERGED and history.steps >= LEAST_STEPS


def fit_more(
    classifier: Classifier, features: LabelledFeatures, new: np.ndarray, known: np.ndarray, attempt: Attempt
) -> History:
    """Continue from weights that were trained on the rows `known`: a few epochs on the rows `new`.

    Some known rows train with them, so that the model does not forget them (rehearsal; Robins 1995). The rest is as in
    `fit`.
    """
    if classifier.is_head_alone:
        return fit(classifier, features, np.concatenate([known, new]), attempt)
    options = attempt.job.options
    random = np.random.default_rng(options.seed)
    count = min(len(known), max(REHEARSED_A_NEW_PICTURE * len(new), REHEARSED_BATCHES * options.batch_size))
    rows = np.concatenate([new, random.choice(known, count, replace=False)])
    trained = np.concatenate([new, known])
    learner = _learner(classifier, features, Drawing(rows, options.batch_size, dropout_for(len(trained))), trained)
    epochs, steps = min(options.epochs, EPOCHS_OVER_NEW) if len(new) else 0, math.ceil(len(rows) / options.batch_size)
    rate = RateSchedule(RATE_SHARE_OVER_NEW * options.learning_rate, epochs * steps, WARM_UP_STEPS)
    history = EpochLoop(learner, Course("more", rows.tolist(), epochs, steps, rate), attempt).run()
    if history.end_reason is not EndReason.DIVERGED:
        classifier.tail.set_weights(learner.network.get_weights())
        fit_early_head(classifier, features, trained)
    return history


@dataclass(frozen=True)
class Drawing:
    """How the batches of an epoch are drawn. dropout: the share of the pooled features that a training step drops."""

    rows: np.ndarray
    batch_size: int
    dropout: float

    def batches(
        self, features: LabelledFeatures, classifier: Classifier, random: np.random.Generator
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """One epoch in random order, in batches of nearly equal size: trunk maps, one-hot classes, dropout factors.

        Each picture comes in its plain or its varied view. An epoch draws as many pictures as there are rows, each as
        often as its weight says, rounded up or down at random. So a picture of a small class may come several times,
        and one of a large class not at all.
        """
        rows, dropout = self.rows, np.float32(self.dropout)
        shuffled = random.permutation(rows)
        ends = np.cumsum(image_weights(features.classes[shuffled]))
        drawn = np.searchsorted(ends, np.arange(len(rows)) + random.random(), side="right")
        order = random.permutation(shuffled[np.minimum(drawn, len(rows) - 1)])
        views = random.integers(0, len(features.views), len(order))
        count = math.ceil(len(order) / self.batch_size)
        one_hot = np.eye(classifier.labels, dtype=np.float32)
        for batch, of_view in zip(np.array_split(order, count), np.array_split(views, count), strict=True):
            maps = [features.views[view].maps[row] for row, view in zip(batch, of_view, strict=True)]
            kept = random.random((len(batch), classifier.last_features), dtype=np.float32) >= dropout
            yield np.stack(maps), one_hot[features.classes[batch]], kept.astype(np.float32) / (1 - dropout)


def _learner(classifier: Classifier, features: LabelledFeatures, drawing: Drawing, trained: np.ndarray) -> Learner:
    """The tail as the training loop sees it. trained: all rows that train the classifier, now or in earlier tasks."""
    trainee, labels = classifier.trainee, classifier.labels
    trainee.begin(classifier.tail, logit_adjustment(features.classes[trained], labels))
    return Learner(
        network=trainee,
        optimizer=trainee.optimizer,
        batches=functools.partial(drawing.batches, features, classifier),
        step=trainee.step,
        score_name="training_accuracy",
        score_of=lambda counts: float(counts[0] / counts[1]),
        breaks_above=DIVERGED_ABOVE * math.log(labels),
    )
