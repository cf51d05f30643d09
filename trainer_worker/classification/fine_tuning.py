"""Trains a classifier's head, and the backbone's last blocks with it, on feature maps kept in memory.

First the head alone, as a logistic regression on the pooled features; then head and last blocks together for a
few passes. The trunk below never runs again, so that a pass over 1,000 pictures takes seconds on a CPU. Small classes
count as much as large ones: by weights in the regression, by more draws in the passes.
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
#: Passes over the training images: as many as make this many optimizer steps, within these bounds. Named wrong (after
#: so many steps): of 12 flowers a class 19.9 % (30), 18.9 % (40); of 20 a class 14.6 % (32), 14.2 % (40), 13.8 % (64);
#: of 40 a class 12.8 % (28), 12.5 % (35 and 42), 12.6 % (70); of 32 pieces of rubbish a class 24.2 % (30), 23.3 % (36),
#: 22.7 % (60): a throwaway trial, three to five draws each, all others scored.
WANTED_STEPS = 30
MIN_EPOCHS = 6
MAX_EPOCHS = 20
#: Share of the pooled features that a training step leaves out (Srivastava et al. 2014), for up to FEW_IMAGES and for
#: more, which are not learned by heart so soon: of trashnet (2,022 trained, 1,010 scored) log loss was 0.288 with the
#: former in 4 passes, 0.282 with 0.3 in 6, 0.267 with the latter in 6 (a throwaway trial, two splits).
DROPOUT_OF_FEW, DROPOUT = 0.5, 0.2
FEW_IMAGES = 200
WARM_UP_STEPS = 8
#: Fewer leave a model that is no better than the head's regression: of 5 flowers a class 953 of 3,225 were named wrong
#: after ten, 966 by the regression, 836 after twenty (a throwaway trial, three draws).
LEAST_STEPS = 10
#: A pass whose mean loss is above so many times that of guessing, or is no number, has broken the model.
DIVERGED_ABOVE = 10.0
#: How much the classes count alike: 0 every image does, 1 every class does. Of digits with one class of 5 %, mean of
#: three draws, recall of that class and mean recall of the others: the head 0.16 and 0.93 at 0, 0.84 and 0.92 at 1;
#: after two passes of tuning 0.47 and 0.94 at 0, 0.77 and 0.94 at 1. Weights on the loss instead of more draws gave
#: 0.86 and 0.88: single images push too hard.
BALANCE = 1.0
#: Inverse strength of the logistic regression's L2 penalty, on standardised features. Of 5 to 40 pictures a class of
#: flowers, rubbish, blood cells and digits (a throwaway trial, five draws each, all others scored) a tenth of it named
#: up to 3 points fewer right; ten times as much differed by a point at most, to either side.
HEAD_C = 1e-2
#: The same for a head that is trained on together with the blocks: less sure of itself, it lets them learn more. In a
#: throwaway trial on flowers5 (four splits of 220 scored pictures) 71 of 880 were named wrong, and 78 from 3e-2.
START_C = 1e-3
HEAD_ITERATIONS = 100
EVALUATION_BATCH = 64
#: A training that goes on after a few new pictures.
PASSES_OVER_NEW = 2
REHEARSED_A_NEW_PICTURE = 4
REHEARSED_BATCHES = 4
#: Of the learning rate, for weights that have settled. After 11 new flowers 131 of 1,100 were named wrong at the full
#: rate, 112 at 0.3 of it, 108 at this share, 107 by a training from the start, 114 before (a throwaway trial, 5 draws).
RATE_SHARE_OVER_NEW = 0.1


@dataclass(frozen=True)
class Classifier:
    """model: float32 (n, S, S, 3) RGB 0..255 to probabilities (n, labels). tail: trunk maps to logits, which is
    pool (trunk maps to pooled features) and then head; run_tail: trunk maps to probabilities, compiled.

    They share their layers: training the tail trains the model.
    """

    model: keras.Model
    tail: keras.Model
    pool: keras.Model
    head: Any
    run_tail: Any


@dataclass(frozen=True)
class Examples:
    """views[v]: trunk maps float32 (n, h, w, c), of the pictures as they are, then varied. pooled: float32
    (n, features), of the pictures as they are. classes: int64 (n,).
    """

    views: tuple[np.ndarray, ...]
    pooled: np.ndarray
    classes: np.ndarray


@dataclass
class History:
    """epochs: of each pass over the pictures, the mean loss and the share that was named right while training."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    #: Of the optimizer, those of a pass that was not ended included.
    steps: int = 0
    #: DIVERGED: the model is what the training began with.
    end_reason: EndReason = EndReason.CONVERGED


class _Epoch(msgspec.Struct, frozen=True):
    loss: float
    accuracy: float


class _Facts(msgspec.Struct, frozen=True):
    """What a checkpoint says beside its arrays. passes, rows: of the training that left it."""

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
    """What each image counts, float64 (n,), mean 1: more in small classes. classes: int64 (n,), n >= 1."""
    weights = np.bincount(classes)[classes] ** -BALANCE
    scaled: np.ndarray = weights * (len(classes) / weights.sum())
    return scaled


def fit_head(classifier: Classifier, pooled: np.ndarray, classes: np.ndarray, strength: float = HEAD_C) -> None:
    """Set the head to a logistic regression of classes int64 (n,) on pooled features float32 (n, features).

    strength: HEAD_C for a head to use, START_C for one that is trained further.
    """
    mean, spread = pooled.mean(axis=0), pooled.std(axis=0) + 1e-3
    regression = LogisticRegression(C=strength, max_iter=HEAD_ITERATIONS)
    # One thread: on a busy machine OpenBLAS's threads wait for each other, 7 to 10 s instead of 0.5 for 880 images.
    with threadpool_limits(1):
        regression.fit((pooled - mean) / spread, classes, sample_weight=image_weights(classes))
    present, weights, bias = regression.classes_, regression.coef_, regression.intercept_
    if len(weights) == 1:  # for two classes scikit-learn gives one row: the log odds of the second
        weights, bias = np.stack([-weights[0], weights[0]]) / 2, np.array([-bias[0], bias[0]]) / 2
    kernel, offset = (array.copy() for array in classifier.head.get_weights())
    kernel[:, present] = (weights / spread).T
    offset[present] = bias - weights @ (mean / spread)
    classifier.head.set_weights([kernel, offset])


def planned_epochs(images: int, options: TrainingOptions) -> int:
    """Passes of the fine-tuning over so many images: few over many, more over few, never above the option."""
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
    """Train on these rows: the head's regression, then as many passes as planned_epochs says.

    Every row is trained on: of 20 flowers a class, an inner validation that chose the pass cost 7 points (a throwaway
    trial, four draws, 4,000 scored), for it was too small to choose well. The rate falls to nearly nothing by the last
    pass, or by end_by_s (monotonic seconds) where that comes first, so whichever ends it ends on settled weights.
    Where that left no time, or broke the model, the regression alone is the model.
    Ends early where the reporter's stop is requested. Steps at every batch, tells each epoch; Cancelled passes
    through. After each pass a checkpoint is left, from which a later call with the same arguments goes on, to the
    same end.
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
    """Go on from weights that were trained on the rows `known`: a few passes over the rows `new`, with as many of the
    others as keep what was learned (rehearsal; Robins 1995). Otherwise as `fit`.
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
    """Passes over examples, of a twin of the classifier's tail. The classifier stays as it is until `keep`."""

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
        """name: of its checkpoint. end_by_s: as of fit."""
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
        """Let the classifier have what the twin has learned."""
        self._classifier.tail.set_weights(self._twin.get_weights())

    def _why_end(self, end_by_s: float) -> EndReason | None:
        """Asked at every batch; None to go on."""
        if self._reporter.stop_requested:
            return EndReason.STOPPED
        return EndReason.BUDGET if time.monotonic() >= end_by_s else None

    def _has_numbers(self) -> bool:
        """The last step of a pass may break the weights after a loss that still was a number."""
        return all(bool(np.isfinite(weights).all()) for weights in self._twin.get_weights())

    def _arrays(self) -> list[np.ndarray]:
        return [*self._twin.get_weights(), *(variable.numpy() for variable in self._optimizer.state)]

    def _save(self, name: str, rows: np.ndarray, passes: int, history: History) -> None:
        epochs = [_Epoch(**epoch) for epoch in history.epochs]
        facts = _Facts(passes, rows.tolist(), epochs, RandomState.of(self._rng))
        self._checkpoints.save(name, facts, self._arrays())

    def _resume(self, name: str, rows: np.ndarray, passes: int) -> History | None:
        """Put everything back to where the last checkpoint of that name was left; None where there is none on those
        terms. They are others after pictures came or an upgrade; what was scored then may be trained on now."""
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
        """One pass in random order, in batches of nearly equal size: trunk maps, classes one-hot, and what dropout
        leaves of the pooled features.

        Each picture comes as it is or varied. A pass has as many pictures as rows, but of small classes each may come
        several times and of large ones some not at all: as often as it counts, rounded up or down by chance.
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
    """Of the learning rate, after that many steps and that share of the training: linear warm-up, cosine decay (SGDR,
    Loshchilov and Hutter 2017), over the time where that is what ends it (budgeted training, Li et al. 2020)."""
    return min(1.0, (taken + 1) / WARM_UP_STEPS) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def _compile_step(tail: Any, optimizer: Adam) -> Any:
    """(trunk maps, classes one-hot, factors of the pooled features) -> (loss, how many were named right)."""
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
