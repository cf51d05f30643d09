"""Trains a classifier's head, and the backbone's last blocks with it, on feature maps kept in memory.

First the head alone, as a logistic regression on the pooled features; then head and last blocks together for a
few passes. The trunk below never runs again, so that a pass over 1,000 pictures takes seconds on a CPU. Small classes
count as much as large ones: by weights in the regression, by more draws in the passes, and in the score that chooses
the best pass. For the trainer process only: imports TensorFlow.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from protocol.options import TrainingOptions
from trainer_worker.backbones.backbone import Backbone
from trainer_worker.checkpoints import Checkpoints
from trainer_worker.class_scores import accuracy, balanced_accuracy
from trainer_worker.gradient_update import apply_gradients
from trainer_worker.job import Reporter

LABEL_SMOOTHING = 0.1
#: With fewer images than this the pretrained blocks stay as they are: on flowers5 10 a class did not gain by training
#: them and 30 a class did (one or two seeds each, so a rough bound).
BLOCKS_FROM_IMAGES = 100
REFIT_UP_TO_IMAGES = 500
#: Passes over the training images: as many as make this many optimizer steps, within these bounds.
WANTED_STEPS = 140
MIN_EPOCHS = 4
MAX_EPOCHS = 10
PATIENCE_EPOCHS = 4
WARM_UP_STEPS = 8
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


@dataclass(frozen=True)
class Classifier:
    """model: float32 (n, S, S, 3) RGB 0..255 to probabilities (n, labels). tail: trunk maps to logits;
    run_tail: trunk maps to probabilities, compiled.

    They share their layers: training the tail trains the model.
    """

    model: keras.Model
    tail: keras.Model
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
    """epochs[i] are the metrics after pass i (0: only the logistic regression). best_epoch indexes it."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    #: "converged", "epochs" (as many as the caller allowed), "budget" (of time) or "stopped" (on request).
    end_reason: str = "converged"
    stopped_early: bool = False


def build_classifier(backbone: Backbone, image_size: int, labels: int) -> Classifier:
    network = backbone.build(image_size)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(network.output)
    head = keras.layers.Dense(labels, kernel_initializer="zeros", name="logits")
    logits = head(pooled)
    probabilities = keras.layers.Softmax(name="probabilities")(logits)
    tail = keras.Model(network.get_layer(backbone.trunk_end).output, logits, name="tail")
    run_tail = tf.function(
        lambda maps: tf.nn.softmax(tail(maps, training=False)),
        input_signature=[tf.TensorSpec((None, *tail.input_shape[1:]), tf.float32)],
        autograph=False,
    )
    return Classifier(keras.Model(network.input, probabilities, name="classifier"), tail, head, run_tail)


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


def fit(
    classifier: Classifier,
    examples: Examples,
    train: np.ndarray,
    validation: np.ndarray,
    options: TrainingOptions,
    reporter: Reporter,
    checkpoints: Checkpoints,
    end_by_s: float = math.inf,
) -> History:
    """Train on the rows `train` and keep the pass with the best balanced accuracy on the rows `validation`.

    A small set is then trained once more on both, for as many passes as were best: with few pictures, to have all
    of them counts for more. Without validation rows the last pass is kept. Ends early where the reporter's stop is
    requested, or at end_by_s (monotonic seconds); steps at every batch, tells each epoch; Cancelled passes through.
    After each pass a checkpoint is left, from which a later call with the same arguments goes on, to the same end.
    """
    everything = np.concatenate([train, validation])
    refit = len(validation) > 0 and len(everything) <= REFIT_UP_TO_IMAGES
    with_blocks = len(everything) >= BLOCKS_FROM_IMAGES
    tuning = _Tuning(classifier, examples, options, reporter, checkpoints, with_blocks, end_by_s)
    planned = planned_epochs(len(train), options)
    pretrained = classifier.tail.get_weights()
    strength = START_C if with_blocks else HEAD_C
    fit_head(classifier, examples.pooled[train], examples.classes[train], strength)
    history = tuning.run("choosing", train, validation, planned, planned, (0.0, 0.5 if refit else 1.0))
    if history.end_reason == "converged" and planned == options.epochs:
        history.end_reason = "epochs"
    if not refit or history.end_reason in ("stopped", "budget"):
        return history
    chosen = classifier.tail.get_weights()
    classifier.tail.set_weights(pretrained)
    fit_head(classifier, examples.pooled[everything], examples.classes[everything], strength)
    again = tuning.run("refit", everything, everything[:0], history.best_epoch, planned, (0.5, 1.0))
    if again.end_reason in ("stopped", "budget"):
        classifier.tail.set_weights(chosen)
        history.stopped_early, history.end_reason = again.stopped_early, again.end_reason
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
    tuning = _Tuning(classifier, examples, options, reporter, checkpoints, with_blocks=True)
    passes = min(options.epochs, PASSES_OVER_NEW) if len(new) else 0
    return tuning.run("more", rows, rows[:0], passes, passes, (0.0, 1.0))


class _Tuning:
    """Passes over examples. One graph serves all runs, since tracing it takes longer than training a small set."""

    def __init__(
        self,
        classifier: Classifier,
        examples: Examples,
        options: TrainingOptions,
        reporter: Reporter,
        checkpoints: Checkpoints,
        with_blocks: bool,
        end_by_s: float = math.inf,
    ) -> None:
        self._classifier, self._examples = classifier, examples
        self._options, self._reporter, self._checkpoints = options, reporter, checkpoints
        self._end_by_s = end_by_s
        trained = classifier.tail if with_blocks else classifier.head
        self._optimizer = keras.optimizers.Adam()
        self._optimizer.build(trained.trainable_variables)
        self._step = _compile_step(classifier.tail, self._optimizer, trained.trainable_variables)

    def run(
        self,
        name: str,
        train: np.ndarray,
        validation: np.ndarray,
        passes: int,
        planned: int,
        part: tuple[float, float],
    ) -> History:
        """`passes` of a schedule of `planned` ones; keeps the best. part: its share of the reported progress.

        name: of its checkpoint.
        """
        tail = self._classifier.tail
        self._reset_optimizer()
        rng = np.random.default_rng(self._options.seed)
        steps_per_pass = math.ceil(len(train) / self._options.batch_size)
        history, best_weights = self._resume(name, rng) or (History([self._scores(validation)]), tail.get_weights())
        done_passes = len(history.epochs) - 1
        taken = done_passes * steps_per_pass
        for epoch in range(done_passes + 1, passes + 1):
            losses = []
            for maps, classes in self._batches(train, rng):
                if reason := self._why_end():
                    history.stopped_early, history.end_reason = reason == "stopped", reason
                    tail.set_weights(best_weights)
                    return history
                self._optimizer.learning_rate.assign(self._rate(taken, planned * steps_per_pass))
                losses.append(float(self._step(maps, tf.one_hot(classes, self._classifier.head.units))))
                taken += 1
                done = taken / (passes * steps_per_pass)
                self._reporter.step(part[0] + done * (part[1] - part[0]), loss=losses[-1])
            history.epochs.append({"loss": float(np.mean(losses)), **self._scores(validation)})
            if len(validation) or part[0] == 0.0:
                self._reporter.epoch(epoch, history.epochs[-1])
            if not len(validation) or _rank(history.epochs[-1]) > _rank(history.epochs[history.best_epoch]):
                history.best_epoch, best_weights = epoch, tail.get_weights()
            elif epoch - history.best_epoch >= PATIENCE_EPOCHS:
                break
            self._save(name, rng, history, best_weights)
        tail.set_weights(best_weights)
        return history

    def _why_end(self) -> str:
        """Asked at every batch; "" to go on."""
        if self._reporter.stop_requested:
            return "stopped"
        return "budget" if time.monotonic() >= self._end_by_s else ""

    def _save(self, name: str, rng: np.random.Generator, history: History, best_weights: list[Any]) -> None:
        facts = {
            "epochs": history.epochs,
            "best_epoch": history.best_epoch,
            "random": rng.bit_generator.state,
        }
        arrays = [*self._classifier.tail.get_weights(), *best_weights]
        arrays += [variable.numpy() for variable in self._optimizer.variables]
        self._checkpoints.save(name, facts, arrays)

    def _resume(self, name: str, rng: np.random.Generator) -> tuple[History, list[Any]] | None:
        """Put everything back to where the last checkpoint of that name was left; None where there is none."""
        saved = self._checkpoints.load(name)
        tail = self._classifier.tail
        count = len(tail.weights)
        state = self._optimizer.variables
        if saved is None or len(saved.arrays) != 2 * count + len(state):
            return None
        tail.set_weights(saved.arrays[:count])
        for variable, value in zip(state, saved.arrays[2 * count :], strict=True):
            variable.assign(value)
        rng.bit_generator.state = saved.facts["random"]
        history = History(saved.facts["epochs"], saved.facts["best_epoch"])
        return history, saved.arrays[count : 2 * count]

    def _batches(self, rows: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """One pass in random order, each picture as it is or varied, in batches of nearly equal size.

        A pass has as many pictures as rows, but of small classes each may come several times and of large ones
        some not at all: as often as it counts, rounded up or down by chance.
        """
        shuffled, examples = rng.permutation(rows), self._examples
        ends = np.cumsum(image_weights(examples.classes[shuffled]))
        drawn = np.searchsorted(ends, np.arange(len(rows)) + rng.random(), side="right")
        order = rng.permutation(shuffled[np.minimum(drawn, len(rows) - 1)])
        views = rng.integers(0, len(examples.views), len(order))
        count = math.ceil(len(order) / self._options.batch_size)
        for batch, of_view in zip(np.array_split(order, count), np.array_split(views, count), strict=True):
            maps = [examples.views[view][row] for row, view in zip(batch, of_view, strict=True)]
            yield np.stack(maps), examples.classes[batch]

    def _rate(self, taken: int, total: int) -> float:
        """Linear warm-up, cosine decay (SGDR, Loshchilov and Hutter 2017)."""
        warm = min(1.0, (taken + 1) / WARM_UP_STEPS)
        return self._options.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * taken / total))

    def _reset_optimizer(self) -> None:
        for variable in self._optimizer.variables:
            variable.assign(tf.zeros(variable.shape, variable.dtype))

    def _scores(self, rows: np.ndarray) -> dict[str, float]:
        if not len(rows):
            return {}
        truth = self._examples.classes[rows]
        predicted = predict(self._classifier, self._examples.views[0][rows])
        return {
            "val_loss": float(-np.log(np.maximum(predicted[np.arange(len(rows)), truth], 1e-7)).mean()),
            "val_accuracy": accuracy(truth, predicted),
            "val_balanced_accuracy": balanced_accuracy(truth, predicted),
        }


def _compile_step(tail: keras.Model, optimizer: Any, variables: list[Any]) -> Any:
    def step(maps: Any, truth: Any) -> Any:
        with tf.GradientTape() as tape:
            losses = keras.losses.categorical_crossentropy(
                truth, tail(maps, training=True), from_logits=True, label_smoothing=LABEL_SMOOTHING
            )
            loss = tf.reduce_mean(losses)
        apply_gradients(optimizer, tape.gradient(loss, variables), variables)
        return loss

    shapes = ((None, *tail.input_shape[1:]), (None, tail.output_shape[-1]))
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    return tf.function(step, input_signature=signature, autograph=False)


def _rank(metrics: dict[str, float]) -> tuple[float, float]:
    """Balanced, so that no pass wins by giving up a small class; where classes are even it is the accuracy."""
    return metrics.get("val_balanced_accuracy", 0.0), -metrics.get("val_loss", 0.0)
