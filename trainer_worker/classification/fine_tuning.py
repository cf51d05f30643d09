"""Trains a classifier's head, and the backbone's last blocks with it, on feature maps kept in memory.

First the head alone is fitted, as a logistic regression on the pooled features. Then head and last blocks train
together for a few epochs. The trunk below them never runs again, so an epoch of 1,000 pictures takes seconds on a CPU.
Small classes count as much as large ones: the regression weights their pictures, and the epochs draw them more often.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import msgspec
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from protocol.end_reason import EndReason
from protocol.options import TrainingOptions
from trainer_worker.attempt.job import Reporter
from trainer_worker.attempt.time_budget import share_spent
from trainer_worker.backbones.backbone import Backbone
from trainer_worker.optimization.adam import Adam
from trainer_worker.optimization.training_copies import tail_twin
from trainer_worker.project.checkpoints import Checkpoints, RandomState

LABEL_SMOOTHING = 0.1
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
#: At 0 every picture counts alike, at 1 every class does. Fine-tuning draws small classes more often instead of
#: weighting the loss, which would give single pictures too much influence (docs/choices.md, "Balance of classes").
BALANCE = 1.0
#: Inverse strength of the logistic regression's L2 penalty, on standardised features (docs/choices.md, "Strength of the
#: head's penalty").
HEAD_C = 1e-2
#: The same for a head that is then fine-tuned together with the blocks. A less confident head lets the blocks learn
#: more (docs/choices.md, "Strength of the head's penalty").
START_C = 1e-3
HEAD_ITERATIONS = 100
EVALUATION_BATCH = 64
#: Epochs of a training that continues from the last one after a few new pictures.
PASSES_OVER_NEW = 2
#: Such a training also rehearses this many known pictures for each new one, and at least this many batches of them.
REHEARSED_A_NEW_PICTURE = 4
REHEARSED_BATCHES = 4
#: Such a training uses this share of the learning rate, because the full rate would disturb weights that have settled
#: (docs/choices.md, "Learning rate for a few new pictures").
RATE_SHARE_OVER_NEW = 0.1


@dataclass(frozen=True)
class Classifier:
    """The whole network and its parts. They share their layers, so training the tail trains the model.

    model: float32 (n, S, S, 3), RGB 0..255, to probabilities (n, labels). tail: trunk maps to logits; it is pool (trunk
    maps to pooled features) followed by head. run_tail: trunk maps to probabilities, compiled.
    """

    model: keras.Model
    tail: keras.Model
    pool: keras.Model
    head: Any
    run_tail: Any


@dataclass(frozen=True)
class Examples:
    """The features and classes of the pictures that may be trained on.

    views: trunk maps float32 (n, h, w, c), first of the plain pictures, then of their varied views. pooled: float32
    (n, features) of the plain pictures. classes: int64 (n,).
    """

    views: tuple[np.ndarray, ...]
    pooled: np.ndarray
    classes: np.ndarray


@dataclass
class History:
    """epochs: the mean loss and the training accuracy of each epoch."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    #: Optimizer steps, including those of an epoch that was not finished.
    steps: int = 0
    #: DIVERGED: the model still has the weights that the training began with.
    end_reason: EndReason = EndReason.CONVERGED


class _Epoch(msgspec.Struct, frozen=True):
    loss: float
    accuracy: float


class _Facts(msgspec.Struct, frozen=True):
    """What a checkpoint says besides its arrays. passes: planned epochs of its training. rows: what it trained on."""

    passes: int
    rows: list[int]
    epochs: list[_Epoch]
    random: RandomState


def build_classifier(backbone: Backbone, image_size: int, labels: int) -> Classifier:
    network = backbone.build(image_size)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(network.output)
    head = keras.layers.Dense(labels, kernel_initializer="zeros", name="logits")
    logits = head(pooled)
    probabilities = keras.layers.Softmax(name="probabilities")(logits)
    maps = network.get_layer(backbone.trunk_end).output
    tail = keras.Model(maps, logits, name="tail")
    run_tail = tf.function(
        lambda maps: tf.nn.softmax(tail(maps, training=False)),
        input_signature=[tf.TensorSpec((None, *tail.input_shape[1:]), tf.float32)],
        autograph=False,
    )
    model = keras.Model(network.input, probabilities, name="classifier")
    return Classifier(model, tail, keras.Model(maps, pooled), head, run_tail)


def image_weights(classes: np.ndarray) -> np.ndarray:
    """The weight of each image, float64 (n,), with mean 1 and larger in small classes. classes: int64 (n,), n >= 1."""
    weights = np.bincount(classes)[classes] ** -BALANCE
    scaled: np.ndarray = weights * (len(classes) / weights.sum())
    return scaled


def fit_head(classifier: Classifier, pooled: np.ndarray, classes: np.ndarray, strength: float = HEAD_C) -> None:
    """Set the head to a logistic regression of classes int64 (n,) on pooled features float32 (n, features).

    strength: HEAD_C for a head that is used as it is, START_C for one that is trained further.
    """
    mean, spread = pooled.mean(axis=0), pooled.std(axis=0) + 1e-3
    regression = LogisticRegression(C=strength, max_iter=HEAD_ITERATIONS)
    # OpenBLAS's threads would wait for each other on a busy machine (docs/choices.md, "One thread for the head's
    # regression").
    with threadpool_limits(1):
        regression.fit((pooled - mean) / spread, classes, sample_weight=image_weights(classes))
    present, weights, bias = regression.classes_, regression.coef_, regression.intercept_
    if len(weights) == 1:  # for two classes scikit-learn gives one row: the log odds of the second class
        weights, bias = np.stack([-weights[0], weights[0]]) / 2, np.array([-bias[0], bias[0]]) / 2
    kernel, offset = (array.copy() for array in classifier.head.get_weights())
    kernel[:, present] = (weights / spread).T
    offset[present] = bias - weights @ (mean / spread)
    classifier.head.set_weights([kernel, offset])


def planned_epochs(images: int, options: TrainingOptions) -> int:
    """Epochs of fine-tuning for this many images: the fewer images, the more epochs, but never more than the option."""
    steps = math.ceil(images / options.batch_size)
    return min(options.epochs, max(MIN_EPOCHS, min(MAX_EPOCHS, math.ceil(WANTED_STEPS / steps))))


def dropout_for(images: int) -> float:
    return DROPOUT_OF_FEW if images <= FEW_IMAGES else DROPOUT


def fit(
    classifier: Classifier,
    examples: Examples,
    rows: np.ndarray,
    options: TrainingOptions,
    reporter: Reporter,
    checkpoints: Checkpoints,
    end_by_s: float = math.inf,
) -> History:
    """Train on these rows: first the head's regression, then planned_epochs of fine-tuning.

    Every row trains; none is held back to choose an epoch (docs/choices.md, "No inner validation"). The learning rate
    falls to nearly nothing by the last epoch, or by end_by_s (monotonic seconds) if that comes first, so the weights
    have settled in either case. If there was no time for fine-tuning, or it broke the model, the model is the
    regression alone.
    Training ends early when the reporter has a stop request. The reporter hears of every batch and of every epoch; its
    Cancelled is not caught here. Each epoch leaves a checkpoint. A later call with the same arguments continues from
    it and ends with the same model.
    """
    fit_head(classifier, examples.pooled[rows], examples.classes[rows], START_C)
    passes = planned_epochs(len(rows), options)
    tuning = _Tuning(classifier, examples, options, reporter, checkpoints, dropout_for(len(rows)))
    history = tuning.run("fit", rows, passes, end_by_s)
    if history.end_reason is EndReason.CONVERGED and passes == options.epochs:
        history.end_reason = EndReason.EPOCHS
    if history.end_reason is EndReason.DIVERGED or history.steps < LEAST_STEPS:
        fit_head(classifier, examples.pooled[rows], examples.classes[rows])
    else:
        tuning.keep()
    return history


def predict(classifier: Classifier, maps: np.ndarray) -> np.ndarray:
    """Probabilities float32 (n, labels) of trunk maps float32 (n, h, w, c)."""
    starts = range(0, len(maps), EVALUATION_BATCH)
    parts = [classifier.run_tail(tf.constant(maps[start : start + EVALUATION_BATCH])).numpy() for start in starts]
    return np.concatenate(parts) if parts else np.zeros((0, classifier.head.units), np.float32)


def fit_more(
    classifier: Classifier,
    examples: Examples,
    new: np.ndarray,
    known: np.ndarray,
    options: TrainingOptions,
    reporter: Reporter,
    checkpoints: Checkpoints,
) -> History:
    """Continue from weights that were trained on the rows `known`: a few epochs on the rows `new`.

    Some known rows train with them, so that the model does not forget them (rehearsal; Robins 1995). The rest is as in
    `fit`.
    """
    random = np.random.default_rng(options.seed)
    count = min(len(known), max(REHEARSED_A_NEW_PICTURE * len(new), REHEARSED_BATCHES * options.batch_size))
    rows = np.concatenate([new, random.choice(known, count, replace=False)])
    passes = min(options.epochs, PASSES_OVER_NEW) if len(new) else 0
    options = msgspec.structs.replace(options, learning_rate=RATE_SHARE_OVER_NEW * options.learning_rate)
    tuning = _Tuning(classifier, examples, options, reporter, checkpoints, dropout_for(len(new) + len(known)))
    history = tuning.run("more", rows, passes)
    if history.end_reason is not EndReason.DIVERGED:
        tuning.keep()
    return history


class _Tuning:
    """Trains a copy of the classifier's tail on examples. The classifier does not change until `keep`."""

    def __init__(
        self,
        classifier: Classifier,
        examples: Examples,
        options: TrainingOptions,
        reporter: Reporter,
        checkpoints: Checkpoints,
        dropout: float,
    ) -> None:
        self._classifier, self._examples = classifier, examples
        self._options, self._reporter, self._checkpoints = options, reporter, checkpoints
        self._twin = tail_twin(classifier.tail)
        self._optimizer = Adam(self._twin.trainable_variables)
        self._step = _compile_step(self._twin, self._optimizer)
        self._rng = np.random.default_rng(options.seed)
        self._dropout = np.float32(dropout)

    def run(self, name: str, rows: np.ndarray, passes: int, end_by_s: float = math.inf) -> History:
        """Train for `passes` epochs. name: the checkpoint's name. end_by_s: see fit."""
        begun_s = time.monotonic()
        history = self._resume(name, rows, passes) or History()
        total = passes * math.ceil(len(rows) / self._options.batch_size)
        for epoch in range(len(history.epochs) + 1, passes + 1):
            losses, right = [], 0
            for batch in self._batches(rows):
                if reason := self._why_end(end_by_s):
                    history.end_reason = reason
                    return history
                done = max(history.steps / total, share_spent(begun_s, end_by_s))
                self._optimizer.learning_rate.assign(self._options.learning_rate * rate_share(history.steps, done))
                loss, named_right = self._step(*batch)
                losses.append(float(loss))
                right += int(named_right)
                history.steps += 1
                self._reporter.step(history.steps / total, loss=losses[-1])
            if not np.mean(losses) <= DIVERGED_ABOVE * math.log(self._classifier.head.units) or not self._has_numbers():
                history.end_reason = EndReason.DIVERGED
                return history
            history.epochs.append({"loss": float(np.mean(losses)), "accuracy": right / len(rows)})
            self._reporter.epoch(epoch, history.epochs[-1])
            self._save(name, rows, passes, history)
        return history

    def keep(self) -> None:
        """Give the classifier the weights that the copy has learned."""
        self._classifier.tail.set_weights(self._twin.get_weights())

    def _why_end(self, end_by_s: float) -> EndReason | None:
        """Why training should end before the next batch; None to continue."""
        if self._reporter.stop_requested:
            return EndReason.STOPPED
        return EndReason.BUDGET if time.monotonic() >= end_by_s else None

    def _has_numbers(self) -> bool:
        """Whether all weights are finite. The last step of an epoch may break them although its loss was finite."""
        return all(bool(np.isfinite(weights).all()) for weights in self._twin.get_weights())

    def _arrays(self) -> list[np.ndarray]:
        return [*self._twin.get_weights(), *(variable.numpy() for variable in self._optimizer.state)]

    def _save(self, name: str, rows: np.ndarray, passes: int, history: History) -> None:
        epochs = [_Epoch(**epoch) for epoch in history.epochs]
        facts = _Facts(passes, rows.tolist(), epochs, RandomState.of(self._rng))
        self._checkpoints.save(name, facts, self._arrays())

    def _resume(self, name: str, rows: np.ndarray, passes: int) -> History | None:
        """Restore the last checkpoint of that name; None if there is none for the same epochs and rows.

        Both change with the pictures or an upgrade. A picture that was held out then might be trained on now.
        """
        saved = self._checkpoints.load(name, _Facts, self._arrays())
        if saved is None:
            return None
        facts, arrays = saved
        if (facts.passes, facts.rows) != (passes, rows.tolist()) or not 1 <= len(facts.epochs) <= passes:
            return None
        count = len(self._twin.weights)
        self._twin.set_weights(arrays[:count])
        for variable, value in zip(self._optimizer.state, arrays[count:], strict=True):
            variable.assign(value)
        facts.random.restore(self._rng)
        steps_a_pass = math.ceil(len(rows) / self._options.batch_size)
        return History([msgspec.structs.asdict(epoch) for epoch in facts.epochs], len(facts.epochs) * steps_a_pass)

    def _batches(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """One epoch in random order, in batches of nearly equal size: trunk maps, one-hot classes, dropout factors.

        Each picture comes in its plain or its varied view. An epoch draws as many pictures as there are rows, each as
        often as its weight says, rounded up or down at random. So a picture of a small class may come several times,
        and one of a large class not at all.
        """
        examples, rng = self._examples, self._rng
        shuffled = rng.permutation(rows)
        ends = np.cumsum(image_weights(examples.classes[shuffled]))
        drawn = np.searchsorted(ends, np.arange(len(rows)) + rng.random(), side="right")
        order = rng.permutation(shuffled[np.minimum(drawn, len(rows) - 1)])
        views = rng.integers(0, len(examples.views), len(order))
        count = math.ceil(len(order) / self._options.batch_size)
        one_hot = np.eye(self._classifier.head.units, dtype=np.float32)
        for batch, of_view in zip(np.array_split(order, count), np.array_split(views, count), strict=True):
            maps = [examples.views[view][row] for row, view in zip(batch, of_view, strict=True)]
            kept = rng.random((len(batch), examples.pooled.shape[1]), dtype=np.float32) >= self._dropout
            yield np.stack(maps), one_hot[examples.classes[batch]], kept.astype(np.float32) / (1 - self._dropout)


def rate_share(taken: int, done: float) -> float:
    """The share of the learning rate that the next step uses: a linear warm-up, then a cosine decay.

    taken: steps so far. done: the share of the training that is over, by steps or by time, whichever is further. The
    decay is that of SGDR (Loshchilov and Hutter 2017); decay by time is budgeted training (Li et al. 2020).
    """
    return min(1.0, (taken + 1) / WARM_UP_STEPS) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def _compile_step(tail: Any, optimizer: Adam) -> Any:
    """(trunk maps, one-hot classes, dropout factors of the pooled features) -> (loss, number of correct pictures)."""
    head = tail.layers[-1]
    pool = keras.Model(tail.input, head.input)

    def step(maps: Any, truth: Any, factors: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = head(pool(maps, training=True) * factors)
            losses = keras.losses.categorical_crossentropy(
                truth, logits, from_logits=True, label_smoothing=LABEL_SMOOTHING
            )
            loss = tf.reduce_mean(losses)
        optimizer.apply(tape.gradient(loss, tail.trainable_variables))
        right = tf.argmax(logits, axis=-1) == tf.argmax(truth, axis=-1)
        return loss, tf.reduce_sum(tf.cast(right, tf.int32))

    shapes = (pool.input_shape, tail.output_shape, pool.output_shape)
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    return tf.function(step, input_signature=signature, autograph=False)
