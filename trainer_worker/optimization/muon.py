"""Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) for networks in which a batch normalization
follows each convolution.

A kernel's step is its momentum with all singular values brought to about 1. So all directions of the matrix learn at
one speed, while Adam follows the few in which the gradients are large. The norm of a kernel has no effect if a batch
normalization follows it. It is held constant here, as in the author's network for CIFAR-10, so a step is a fixed share
of the kernel. Why not Adam, nor Keras's own Muon: docs/choices.md, "Muon for the decoder".
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import tensorflow as tf

from trainer_worker.optimization.adam import Adam

#: How these values were found: docs/choices.md, "Muon's constants".
MOMENTUM = 0.6
#: A kernel's step, as a share of the kernel's norm, is this many times the learning rate.
RATE_OF_KERNELS = 20.0
#: Newton-Schulz iterations: this many bring singular values between 0.1 and 1 close enough to 1.
ITERATIONS = 3
COEFFICIENTS = (3.4445, -4.775, 2.0315)
TINY = 1e-7


class Muon:
    """Trains Keras variables: the kernels by Muon, all other weights by Adam.

    kernels: the weights, (h, w, in, out), whose norms have no effect; each norm is held at sqrt(out). Raises ValueError
    if one of them is not among the weights.
    """

    def __init__(self, weights: Sequence[Any], kernels: Collection[Any]) -> None:
        known = {id(kernel) for kernel in kernels}
        self._is_kernel = [id(weight) in known for weight in weights]
        if sum(self._is_kernel) != len(kernels):
            raise ValueError("some of the kernels are none of the weights")
        self._kernels = [weight.value for weight in self._chosen(weights, kernels=True)]
        for kernel in self._kernels:
            kernel.assign(_of_fixed_norm(kernel))
        self._momenta = [tf.Variable(tf.zeros_like(kernel), trainable=False) for kernel in self._kernels]
        self._adam = Adam(self._chosen(weights, kernels=False))
        self.learning_rate = self._adam.learning_rate

    @property
    def state(self) -> list[tf.Variable]:
        """What a checkpoint has to keep besides the weights and the learning rate."""
        return [*self._adam.state, *self._momenta]

    def apply(self, gradients: Sequence[Any]) -> None:
        """Take one step at the current learning rate. Call it inside a tf.function."""
        rate = self.learning_rate.read_value() * RATE_OF_KERNELS
        rows = zip(self._kernels, self._momenta, self._chosen(gradients, kernels=True), strict=True)
        for kernel, momentum, gradient in rows:
            gathered = momentum.assign(momentum * MOMENTUM + gradient)
            step = orthogonalized(gradient + MOMENTUM * gathered)  # Nesterov's
            kernel.assign(_of_fixed_norm(kernel - rate * step))
        self._adam.apply(self._chosen(gradients, kernels=False))

    def _chosen(self, values: Sequence[Any], kernels: bool) -> list[Any]:
        return [value for value, is_kernel in zip(values, self._is_kernel, strict=True) if is_kernel == kernels]


def _of_fixed_norm(kernel: Any) -> Any:
    return kernel * (math.sqrt(kernel.shape[-1]) / tf.norm(kernel))


def orthogonalized(kernel: Any) -> Any:
    """The kernel (h, w, in, out) with singular values near 1 and the same singular vectors, as a matrix
    (h * w * in, out).

    Values far below the largest one stay small. This is the Newton-Schulz iteration with Jordan's coefficients: they
    do not converge to 1, but come near it in the fewest iterations.
    """
    matrix = tf.reshape(kernel, (-1, kernel.shape[-1]))
    matrix /= tf.norm(matrix) + TINY
    first, third, fifth = COEFFICIENTS
    for _ in range(ITERATIONS):
        square = tf.matmul(matrix, matrix, transpose_a=True)
        factor = third * square + fifth * tf.matmul(square, square)
        matrix = first * matrix + tf.matmul(matrix, factor)
    return tf.reshape(matrix, kernel.shape)
