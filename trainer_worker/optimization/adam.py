"""Adam by TensorFlow's own kernel: one operation for each weight.

Keras composes the same update of a dozen operations for each weight, which is slower to run and to trace. Its class
also leaks the graph and the weights of every task (docs/choices.md, "An Adam of one operation").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7


class Adam:
    """Adam (Kingma and Ba 2015) for TensorFlow's variables. It computes the same numbers as Keras's class."""

    def __init__(self, weights: Sequence[tf.Variable]) -> None:
        self.learning_rate = tf.Variable(0.0, dtype=tf.float32, trainable=False)
        self._weights = list(weights)
        self._steps = tf.Variable(0.0, dtype=tf.float32, trainable=False)
        self._means, self._squares = (
            [tf.Variable(tf.zeros_like(weight), shape=weight.shape, trainable=False) for weight in self._weights]
            for _ in range(2)
        )

    @property
    def state(self) -> list[tf.Variable]:
        """What a checkpoint has to keep besides the weights and the learning rate."""
        return [self._steps, *self._means, *self._squares]

    def begin(self) -> None:
        """Forget all steps. A weight whose static shape is open may have another shape from now on."""
        self._steps.assign(0.0)
        for weight, mean, square in zip(self._weights, self._means, self._squares, strict=True):
            mean.assign(tf.zeros_like(weight))
            square.assign(tf.zeros_like(weight))

    def apply(self, gradients: Sequence[Any]) -> None:
        """Take one step at the current learning rate. Call it inside a tf.function."""
        rate, steps = self.learning_rate.read_value(), self._steps.assign_add(1.0)
        powers = tf.pow(BETA_1, steps), tf.pow(BETA_2, steps)
        rows = zip(self._weights, self._means, self._squares, gradients, strict=True)
        for weight, mean, square, gradient in rows:
            tf.raw_ops.ResourceApplyAdam(
                var=weight.handle,
                m=mean.handle,
                v=square.handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=rate,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=EPSILON,
                grad=gradient,
            )
