"""The copy of a classifier's tail that fine-tuning trains."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer_worker.classification.regression import LABEL_SMOOTHING
from trainer_worker.optimization.muon import Muon
from trainer_worker.optimization.training_copies import copy_of_tail

#: See Muon (docs/choices.md, "Muon for the tail of a classifier").
RATE_OF_KERNELS = 40.0


class Trainee:
    """A copy of a classifier's tail that learns, with its optimizer and its compiled step.

    step: (trunk maps, one-hot classes, dropout factors of the pooled features) -> (loss, counts of pictures).
    The counts are those of the pictures that were classified correctly, and of all pictures: int32 (2,).
    Copying and compiling take as long as a training on a few pictures, and a cross-validation trains five times.
    """

    def __init__(self, tail: Any) -> None:
        self.network = copy_of_tail(tail)
        _freeze_depthwise_kernels(self.network)
        self.optimizer = Muon(self.network.trainable_variables, _kernels(self.network), RATE_OF_KERNELS)
        self._adjustment = tf.Variable(tf.zeros(tail.output_shape[-1]), trainable=False)
        self.step = _compile_step(self.network, self.optimizer, self._adjustment)

    def begin(self, tail: Any, adjustment: np.ndarray) -> None:
        """Begin a training with the weights of the tail. adjustment: see logit_adjustment."""
        self.network.set_weights(tail.get_weights())
        self._adjustment.assign(adjustment)
        for variable in self.optimizer.state:
            variable.assign(tf.zeros_like(variable))


def _freeze_depthwise_kernels(tail: Any) -> None:
    """Leave the kernels of depthwise convolutions as they are.

    Their gradients take a quarter of a step, and a network that learns them is no better (docs/choices.md, "Depthwise
    kernels stay as they are").
    """
    for layer in tail.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            layer.kernel.trainable = False


def _kernels(tail: Any) -> list[Any]:
    """The kernels of a tail's convolutions that are trained and are matrices, which those of grouped ones are not."""
    trained = {id(weight) for weight in tail.trainable_variables}
    convolutions = [layer for layer in tail.layers if isinstance(layer, keras.layers.Conv2D) and layer.groups == 1]
    return [layer.kernel for layer in convolutions if id(layer.kernel) in trained]


def _compile_step(tail: Any, optimizer: Muon, adjustment: tf.Variable) -> Any:
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
