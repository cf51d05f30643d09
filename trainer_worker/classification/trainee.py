"""The copy of a classifier's tail that fine-tuning trains."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer_worker.backbones.backbone import Backbone
from trainer_worker.classification.features import cut_at_trunk
from trainer_worker.classification.regression import LABEL_SMOOTHING
from trainer_worker.optimization.muon import Muon
from trainer_worker.optimization.training_copies import copy_of_tail

#: See Muon (docs/choices.md, "Muon for the tail of a classifier").
RATE_OF_KERNELS = 40.0


class Trainee:
    """A copy of the tails of a backbone's classifiers that learns, with its optimizer and its compiled step.

    The layers before the head are a Keras network. The head's weights have an open shape, so one trainee serves tails
    for any number of labels, one training after the other.
    step: (trunk maps, one-hot classes, dropout factors of the pooled features) -> (loss, counts of pictures).
    The counts are those of the pictures that were classified correctly, and of all pictures: int32 (2,).
    """

    def __init__(self, pool: keras.Model) -> None:
        """pool: the tail without its head, see Classifier."""
        self.network = copy_of_tail(pool)
        _freeze_depthwise_kernels(self.network)
        self._head = [_of_any_length((pool.output_shape[-1], 1)), _of_any_length((1,))]
        self._adjustment = _of_any_length((1,))
        weights = [weight.value for weight in self.network.trainable_variables]
        self.optimizer = Muon([*weights, *self._head], _kernels(self.network), RATE_OF_KERNELS)
        self.step = self._compiled_step()

    def begin(self, tail: keras.Model, adjustment: np.ndarray) -> None:
        """Begin a training with the weights of the tail. adjustment: float32 (labels,), see logit_adjustment."""
        self.set_weights(tail.get_weights())
        self._adjustment.assign(adjustment)
        self.optimizer.begin()

    def get_weights(self) -> list[np.ndarray]:
        """The weights of the tail, in its order."""
        return [*self.network.get_weights(), *(variable.numpy() for variable in self._head)]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """weights: in the order of get_weights."""
        self.network.set_weights(weights[: -len(self._head)])
        for variable, value in zip(self._head, weights[-len(self._head) :], strict=True):
            variable.assign(value)

    def _compiled_step(self) -> Any:
        """The loss is that of the logits without the adjustment, so training doesn't undo it."""
        network, optimizer, (kernel, bias) = self.network, self.optimizer, self._head

        def step(maps: Any, truth: Any, factors: Any) -> Any:
            with tf.GradientTape() as tape:
                logits = tf.matmul(network(maps, training=True) * factors, kernel) + bias
                losses = keras.losses.categorical_crossentropy(
                    truth, logits - self._adjustment, from_logits=True, label_smoothing=LABEL_SMOOTHING
                )
                loss = tf.reduce_mean(losses)
            optimizer.apply(tape.gradient(loss, [*network.trainable_variables, kernel, bias]))
            right = tf.argmax(logits, axis=-1) == tf.argmax(truth, axis=-1)
            return loss, tf.stack([tf.reduce_sum(tf.cast(right, tf.int32)), tf.size(right)])

        shapes = (network.input_shape, (None, None), network.output_shape)
        signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
        return tf.function(step, input_signature=signature, autograph=False)


@functools.lru_cache(maxsize=1)
def kept_trainee(backbone: Backbone, image_size: int) -> Trainee:
    """A trainee whose step is compiled, kept from task to task.

    It holds no data of a task after Trainee.begin, and copying and compiling take as long as a training on a few
    pictures (docs/choices.md, "A classifier is built while features are computed").
    """
    maps, pooled = cut_at_trunk(backbone.build(image_size), backbone)
    trainee = Trainee(keras.Model(maps, pooled))
    one = [tf.zeros((1, *shape[1:])) for shape in (maps.shape, (1, 1), pooled.shape)]
    trainee.step(*one)  # at a rate of 0
    return trainee


def _of_any_length(shape: tuple[int, ...]) -> tf.Variable:
    """Zeros of this shape, whose last dimension may become another one."""
    return tf.Variable(tf.zeros(shape), shape=(*shape[:-1], None))


def _freeze_depthwise_kernels(network: Any) -> None:
    """Leave the kernels of depthwise convolutions as they are.

    Their gradients take a quarter of a step, and a network that learns them is no better (docs/choices.md, "Depthwise
    kernels stay as they are").
    """
    for layer in network.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            layer.kernel.trainable = False


def _kernels(network: Any) -> list[tf.Variable]:
    """The trained kernels of convolutions that are matrices, which those of grouped ones are not."""
    trained = {id(weight) for weight in network.trainable_variables}
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D) and layer.groups == 1]
    return [layer.kernel.value for layer in convolutions if id(layer.kernel) in trained]
