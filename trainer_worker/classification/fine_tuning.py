"""Trains a classifier's head, and the backbone's last blocks with it, on feature maps kept in memory.

First the head alone is fitted, as a logistic regression on the pooled features. Then head and last blocks train
together for a few epochs. The trunk below them never runs again, so an epoch of 1,000 pictures takes seconds on a CPU.
At the end an early head joins them: a logistic regression on the pooled features of earlier layers, whose logits are
added. It sees textures and shapes that the last layer has turned into ImageNet's objects, and it costs the exported
model nothing (Head2Toe, Evci et al. 2022, https://arxiv.org/abs/2201.03529, uses such features as well).
Small classes count as much as large ones: the regressions weight their pictures, and the epochs draw them more often.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from protocol.end_reason import EndReason
from protocol.options import TrainingOptions
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.backbones.backbone import Backbone
from trainer_worker.classification.dataset import FeatureView
from trainer_worker.classification.features import pooled_early
from trainer_worker.classification.regression import LABEL_SMOOTHING, image_weights, logit_adjustment, regression
from trainer_worker.optimization.adam import Adam
from trainer_worker.optimization.epochs import Course, EpochLoop, History, Learner
from trainer_worker.optimization.learning_rate import RateSchedule
from trainer_worker.optimization.training_copies import copy_of_tail

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
#: Inverse strength of the logistic regression's L2 penalty, on standardised features (docs/choices.md, "Strength of the
#: head's penalty").
HEAD_C = 1e-2
#: The same for a head that is then fine-tuned together with the blocks. A less confident head lets the blocks learn
#: more (docs/choices.md, "Strength of the head's penalty").
START_C = 1e-3
#: The logits of the early head count this much beside those of the fine-tuned head (docs/choices.md, "Features of
#: earlier layers").
EARLY_SHARE = 0.4
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
    """The whole network and its parts. They share their layers, so training the parts trains the model.

    model: float32 (n, S, S, 3), RGB 0..255, to probabilities (n, labels); their logits are the sum of both heads'.
    tail: trunk maps to the logits of the head; it is pool (trunk maps to the features of the last layer) followed by
    head. early_head: features of earlier layers to logits. run: trunk maps and features of earlier layers to
    probabilities, compiled.
    """

    model: keras.Model
    tail: keras.Model
    pool: keras.Model
    head: Any
    early_head: Any
    run: Any

    @property
    def labels(self) -> int:
        """The number of classes."""
        count: int = self.head.units
        return count

    @property
    def last_features(self) -> int:
        """How many of a picture's pooled features are those of the last layer. The others are of earlier layers."""
        count: int = self.pool.output_shape[-1]
        return count

    @property
    def logits(self) -> tuple[Any, Any]:
        """The layers whose outputs add up to the logits."""
        return self.head, self.early_head

    def get_weights(self) -> list[np.ndarray]:
        """All weights that a training changes."""
        return [*self.tail.get_weights(), *self.early_head.get_weights()]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """weights: what get_weights has given."""
        count = len(self.tail.weights)
        self.tail.set_weights(weights[:count])
        self.early_head.set_weights(weights[count:])

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
    """The features and classes of the n pictures that may be trained on.

    views: first the plain pictures, then their varied views. classes: int64 (n,).
    """

    views: tuple[FeatureView, ...]
    classes: np.ndarray

    def pooled_views(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The pooled features of these rows in all views, float32 (rows * views, features), and their classes."""
        pooled = np.concatenate([view.pooled[rows] for view in self.views])
        return pooled, np.tile(self.classes[rows], len(self.views))


def build_classifier(backbone: Backbone, image_size: int, labels: int) -> Classifier:
    network = backbone.build(image_size)
    maps = network.get_layer(backbone.trunk_end).output
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(network.output)
    head = keras.layers.Dense(labels, kernel_initializer="zeros", name="logits")
    early_head = keras.layers.Dense(labels, kernel_initializer="zeros", name="early_logits")
    logits, early = head(pooled), pooled_early(network, backbone)
    summed = keras.layers.Add(name="summed_logits")([logits, early_head(early)])
    model = keras.Model(network.input, keras.layers.Softmax(name="probabilities")(summed), name="classifier")
    tail = keras.Model(maps, logits, name="tail")
    run = tf.function(
        lambda maps, early: tf.nn.softmax(tail(maps, training=False) + early_head(early)),
        input_signature=[tf.TensorSpec((None, *x.shape[1:]), tf.float32) for x in (maps, early)],
        autograph=False,
    )
    return Classifier(model, tail, keras.Model(maps, pooled), head, early_head, run)


def fit_head(classifier: Classifier, features: LabelledFeatures, rows: np.ndarray) -> None:
    """Make the classifier a logistic regression on all pooled features of these rows, in all their views."""
    pooled, classes = features.pooled_views(rows)
    kernel, bias = regression(pooled, classes, classifier.labels, HEAD_C)
    last = classifier.last_features
    classifier.head.set_weights([kernel[:last], bias])
    classifier.early_head.set_weights([kernel[last:], np.zeros_like(bias)])


def start_head(classifier: Classifier, features: LabelledFeatures, rows: np.ndarray) -> None:
    """Make the head a logistic regression on the last layer's features alone, for fine-tuning to start from."""
    pooled = features.views[0].pooled[rows, : classifier.last_features]
    classifier.head.set_weights(list(regression(pooled, features.classes[rows], classifier.labels, START_C)))


def fit_early_head(classifier: Classifier, features: LabelledFeatures, rows: np.ndarray) -> None:
    """Make the early head a logistic regression on the features of earlier layers, whose logits count EARLY_SHARE."""
    pooled, classes = features.pooled_views(rows)
    weights = regression(pooled[:, classifier.last_features :], classes, classifier.labels, HEAD_C)
    classifier.early_head.set_weights([EARLY_SHARE * array for array in weights])


def planned_epochs(images: int, options: TrainingOptions) -> int:
    """Epochs of fine-tuning for this many images: the fewer images, the more epochs, but never more than the option."""
    steps = math.ceil(images / options.batch_size)
    return min(options.epochs, max(MIN_EPOCHS, min(MAX_EPOCHS, math.ceil(WANTED_STEPS / steps))))


def dropout_for(images: int) -> float:
    return DROPOUT_OF_FEW if images <= FEW_IMAGES else DROPOUT


def predict(classifier: Classifier, view: FeatureView) -> np.ndarray:
    """Probabilities float32 (n, labels) of the n pictures of a view."""
    early = view.pooled[:, classifier.last_features :]
    parts = [
        classifier.run(tf.constant(view.maps[some]), tf.constant(early[some])).numpy()
        for some in (slice(start, start + EVALUATION_BATCH) for start in range(0, len(early), EVALUATION_BATCH))
    ]
    return np.concatenate(parts) if parts else np.zeros((0, classifier.labels), np.float32)


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
    start_head(classifier, features, rows)
    learner = _learner(classifier, features, Drawing(rows, options.batch_size, dropout_for(len(rows))), rows)
    epochs, steps = planned_epochs(len(rows), options), math.ceil(len(rows) / options.batch_size)
    rate = RateSchedule(options.learning_rate, epochs * steps, WARM_UP_STEPS)
    history = EpochLoop(learner, Course("fit", rows.tolist(), epochs, steps, rate, end_by_s), attempt).run()
    if history.end_reason is EndReason.CONVERGED and epochs == options.epochs:
        history.end_reason = EndReason.EPOCHS
    if history.end_reason is EndReason.DIVERGED or history.steps < LEAST_STEPS:
        fit_head(classifier, features, rows)
    else:
        classifier.tail.set_weights(learner.network.get_weights())
        fit_early_head(classifier, features, rows)
    return history


def fit_more(
    classifier: Classifier, features: LabelledFeatures, new: np.ndarray, known: np.ndarray, attempt: Attempt
) -> History:
    """Continue from weights that were trained on the rows `known`: a few epochs on the rows `new`.

    Some known rows train with them, so that the model does not forget them (rehearsal; Robins 1995). The rest is as in
    `fit`.
    """
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
    """trained: all rows that train the classifier, now or in earlier tasks."""
    trainee, labels = classifier.trainee, classifier.labels
    trainee.begin(classifier.tail, logit_adjustment(features.classes[trained], labels))
    return Learner(
        network=trainee.network,
        optimizer=trainee.optimizer,
        batches=functools.partial(drawing.batches, features, classifier),
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
