"""Trains a classifier's head, and the backbone's last blocks with it, on feature maps kept in memory.

First the head alone is fitted, as a logistic regression on the pooled features. Then head and last blocks train
together for a few epochs. The trunk below them never runs again, so an epoch of 1,000 pictures takes seconds on a CPU.
Small classes count as much as large ones: the regression weights their pictures, and the epochs draw them more often.
Their logits are also raised, because a model that knows a class from few pictures is too unsure about new ones of it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from protocol.end_reason import EndReason
from protocol.options import TrainingOptions
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.backbones.backbone import Backbone
from trainer_worker.optimization.adam import Adam
from trainer_worker.optimization.epochs import Course, EpochLoop, History, Learner
from trainer_worker.optimization.learning_rate import RateSchedule
from trainer_worker.optimization.training_copies import copy_of_tail

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
#: Logit adjustment by the sizes of classes (Menon et al. 2021): the logit of a class is raised by this share of the
#: logarithm of how many times larger the largest class is (docs/choices.md, "Logits of small classes").
ADJUSTMENT = 0.6
#: Inverse strength of the logistic regression's L2 penalty, on standardised features (docs/choices.md, "Strength of the
#: head's penalty").
HEAD_C = 1e-2
#: The same for a head that is then fine-tuned together with the blocks. A less confident head lets the blocks learn
#: more (docs/choices.md, "Strength of the head's penalty").
START_C = 1e-3
HEAD_ITERATIONS = 100
EVALUATION_BATCH = 64
#: Epochs of a training that continues from the last one after a few new pictures.
EPOCHS_OVER_NEW = 2
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

    @property
    def is_head_alone(self) -> bool:
        """Whether no layer of the backbone is trained. The head's regression is then all there is to train."""
        return len(self.tail.weights) == len(self.head.weights)

    @functools.cached_property
    def trainee(self) -> Trainee:
        """The copy of the tail that all trainings of this classifier use, one after the other."""
        return Trainee(self.tail)


class Trainee:
    """A copy of a classifier's tail that learns, with its optimizer and its compiled step.

    step: (trunk maps, one-hot classes, dropout factors of the pooled features) -> (loss, counts of pictures).
    The counts are those of the pictures that were classified correctly, and of all pictures: int32 (2,).
    Copying and compiling take as long as a training on a few pictures, and a cross-validation trains five times.
    """

    def __init__(self, tail: Any) -> None:
        self.network = copy_of_tail(tail)
        self.optimizer = Adam(self.network.trainable_variables)
        self._adjustment = tf.Variable(tf.zeros(tail.output_shape[-1]), trainable=False)
        self.step = _compile_step(self.network, self.optimizer, self._adjustment)

    def begin(self, tail: Any, adjustment: np.ndarray) -> None:
        """Begin a training with the weights of the tail. adjustment: see logit_adjustment."""
        self.network.set_weights(tail.get_weights())
        self._adjustment.assign(adjustment)
        for variable in self.optimizer.state:
            variable.assign(tf.zeros_like(variable))


@dataclass(frozen=True)
class LabelledFeatures:
    """The features and classes of the pictures that may be trained on.

    views: trunk maps float32 (n, h, w, c), first of the plain pictures, then of their varied views. pooled: float32
    (n, features) of the plain pictures. classes: int64 (n,).
    """

    views: tuple[np.ndarray, ...]
    pooled: np.ndarray
    classes: np.ndarray


def build_classifier(backbone: Backbone, image_size: int, labels: int) -> Classifier:
    network = backbone.build(image_size)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(network.output)
    if backbone.trunk_end:
        maps = network.get_layer(backbone.trunk_end).output
    else:  # the "maps" of such a network are its features, and the tail begins behind them
        maps, pooled = pooled, keras.layers.Identity(name="features")(pooled)
    head = keras.layers.Dense(labels, kernel_initializer="zeros", name="logits")
    logits = head(pooled)
    probabilities = keras.layers.Softmax(name="probabilities")(logits)
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


def logit_adjustment(classes: np.ndarray, labels: int) -> np.ndarray:
    """How much the logit of each label is raised, float32 (labels,); 0 for the largest class and for an absent one.

    No logit is raised by more than half the lead that label smoothing lets the right class have in training. Otherwise
    a class of two pictures would win every picture of another one. classes: int64 (n,) of the training pictures.
    """
    counts = np.bincount(classes, minlength=labels)
    lead = math.log(1 + labels * (1 - LABEL_SMOOTHING) / LABEL_SMOOTHING)
    wanted = ADJUSTMENT * np.log(counts.max() / np.where(counts, counts, counts.max()))
    adjustment: np.ndarray = np.minimum(wanted, lead / 2).astype(np.float32)
    return adjustment


def fit_head(classifier: Classifier, pooled: np.ndarray, classes: np.ndarray, strength: float = HEAD_C) -> None:
    """Set the head to a logistic regression of classes int64 (n,) on pooled features float32 (n, features).

    Its logits are raised by logit_adjustment.
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
    classifier.head.set_weights([kernel, offset + logit_adjustment(classes, len(offset))])


def planned_epochs(images: int, options: TrainingOptions) -> int:
    """Epochs of fine-tuning for this many images: the fewer images, the more epochs, but never more than the option."""
    steps = math.ceil(images / options.batch_size)
    return min(options.epochs, max(MIN_EPOCHS, min(MAX_EPOCHS, math.ceil(WANTED_STEPS / steps))))


def dropout_for(images: int) -> float:
    return DROPOUT_OF_FEW if images <= FEW_IMAGES else DROPOUT


def predict(classifier: Classifier, maps: np.ndarray) -> np.ndarray:
    """Probabilities float32 (n, labels) of trunk maps float32 (n, h, w, c)."""
    starts = range(0, len(maps), EVALUATION_BATCH)
    parts = [classifier.run_tail(tf.constant(maps[start : start + EVALUATION_BATCH])).numpy() for start in starts]
    return np.concatenate(parts) if parts else np.zeros((0, classifier.head.units), np.float32)


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
    fit_head(classifier, features.pooled[rows], features.classes[rows], START_C)
    learner = _learner(classifier, features, Drawing(rows, options.batch_size, dropout_for(len(rows))), rows)
    steps = math.ceil(len(rows) / options.batch_size)
    epochs = 0 if classifier.is_head_alone else planned_epochs(len(rows), options)
    rate = RateSchedule(options.learning_rate, epochs * steps, WARM_UP_STEPS)
    history = EpochLoop(learner, Course("fit", rows.tolist(), epochs, steps, rate, end_by_s), attempt).run()
    if history.end_reason is EndReason.CONVERGED and epochs == options.epochs:
        history.end_reason = EndReason.EPOCHS
    if history.end_reason is EndReason.DIVERGED or history.steps < LEAST_STEPS:
        fit_head(classifier, features.pooled[rows], features.classes[rows])
    else:
        classifier.tail.set_weights(learner.network.get_weights())
    return history


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
    return history


@dataclass(frozen=True)
class Drawing:
    """How the batches of an epoch are drawn. dropout: the share of the pooled features that a training step drops."""

    rows: np.ndarray
    batch_size: int
    dropout: float

    def batches(
        self, features: LabelledFeatures, labels: int, random: np.random.Generator
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
        one_hot = np.eye(labels, dtype=np.float32)
        for batch, of_view in zip(np.array_split(order, count), np.array_split(views, count), strict=True):
            maps = [features.views[view][row] for row, view in zip(batch, of_view, strict=True)]
            kept = random.random((len(batch), features.pooled.shape[1]), dtype=np.float32) >= dropout
            yield np.stack(maps), one_hot[features.classes[batch]], kept.astype(np.float32) / (1 - dropout)


def _learner(classifier: Classifier, features: LabelledFeatures, drawing: Drawing, trained: np.ndarray) -> Learner:
    """trained: all rows that train the classifier, now or in earlier tasks."""
    trainee, labels = classifier.trainee, classifier.head.units
    trainee.begin(classifier.tail, logit_adjustment(features.classes[trained], labels))
    return Learner(
        network=trainee.network,
        optimizer=trainee.optimizer,
        batches=functools.partial(drawing.batches, features, labels),
        step=trainee.step,
        score_name="training_accuracy",
        score_of=lambda counts: float(counts[0] / counts[1]),
        breaks_above=DIVERGED_ABOVE * math.log(labels),
    )


def _compile_step(tail: Any, optimizer: Adam, adjustment: tf.Variable) -> Any:
    """The step of a Trainee. The loss is that of the logits without the adjustment, so training doesn't undo it."""
    head = tail.layers[-1]
    pool = keras.Model(tail.input, head.input)

    def step(maps: Any, truth: Any, factors: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = head(pool(maps, training=True) * factors)
            losses = keras.losses.categorical_crossentropy(
                truth, logits - adjustment, from_logits=True, label_smoothing=LABEL_SMOOTHING
            )
            loss = tf.reduce_mean(losses)
        optimizer.apply(tape.gradient(loss, tail.trainable_variables))
        right = tf.argmax(logits, axis=-1) == tf.argmax(truth, axis=-1)
        return loss, tf.stack([tf.reduce_sum(tf.cast(right, tf.int32)), tf.size(right)])

    shapes = (pool.input_shape, tail.output_shape, pool.output_shape)
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    return tf.function(step, input_signature=signature, autograph=False)
