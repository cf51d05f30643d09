"""Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) for the kernels of convolutions.

A kernel's step is its momentum with all singular values brought to about 1. So all directions of the matrix learn at
one speed, while Adam follows the few in which the gradients are large. A step is a share of the kernel's norm, and the
norm stays as it is, as in the author's network for CIFAR-10. Why not Adam, nor Keras's own Muon: docs/choices.md, "Muon
for the decoder" and "Muon for the tail of a classifier".
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import keras
import tensorflow as tf

from trainer_worker.optimization.adam import Adam
from trainer_worker.optimization.training_copies import quick_policy

#: How these values were found: docs/choices.md, "Muon's constants".
MOMENTUM = 0.6
#: Newton-Schulz iterations: this many bring singular values between 0.1 and 1 close enough to 1.
ITERATIONS = 3
COEFFICIENTS = (3.4445, -4.775, 2.0315)
TINY = 1e-7


class Muon:
    """Trains TensorFlow's variables: the kernels by Muon, all other weights by Adam.

    kernels: the weights, (h, w, in, out), that Muon trains. rate_of_kernels: a kernel's step, as a share of its norm,
    is this many times the learning rate, so a kernel of zeros stays as it is. Raises ValueError if one of the kernels
    is not among the weights.
    """

    def __init__(
        self, weights: Sequence[tf.Variable], kernels: Collection[tf.Variable], rate_of_kernels: float
    ) -> None:
        known = {id(kernel) for kernel in kernels}
        self._is_kernel = [id(weight) in known for weight in weights]
        if sum(self._is_kernel) != len(kernels):
            raise ValueError("some of the kernels are none of the weights")
        self._rate_of_kernels = rate_of_kernels
        self._kernels = self._chosen(weights, kernels=True)
        self._momenta = [tf.Variable(tf.zeros_like(kernel), trainable=False) for kernel in self._kernels]
        self._adam = Adam(self._chosen(weights, kernels=False))
        self.learning_rate = self._adam.learning_rate

    @property
    def state(self) -> list[tf.Variable]:
        """What a checkpoint has to keep besides the weights and the learning rate."""
        return [*self._adam.state, *self._momenta]

    def begin(self) -> None:
        """Forget all steps, as Adam.begin does."""
        for momentum in self._momenta:
            momentum.assign(tf.zeros_like(momentum))
        self._adam.begin()

    def apply(self, gradients: Sequence[Any]) -> None:
        """Take one step at the current learning rate. Call it inside a tf.function."""
        share = self.learning_rate.read_value() * self._rate_of_kernels
        rows = zip(self._kernels, self._momenta, self._chosen(gradients, kernels=True), strict=True)
        for kernel, momentum, gradient in rows:
            gathered = momentum.assign(momentum * MOMENTUM + gradient)
            direction = orthogonalized(gradient + MOMENTUM * gathered)  # Nesterov's
            kernel.assign(_moved(kernel, direction, share))
        self._adam.apply(self._chosen(gradients, kernels=False))

    def _chosen(self, values: Sequence[Any], kernels: bool) -> list[Any]:
        return [value for value, is_kernel in zip(values, self._is_kernel, strict=True) if is_kernel == kernels]


def _moved(kernel: Any, direction: Any, share: Any) -> Any:
    """The kernel after a step against the direction, whose singular values are about 1. Its norm stays the same."""
    norm, rank = tf.norm(kernel), min(math.prod(kernel.shape[:-1]), kernel.shape[-1])
    moved = kernel - share * norm / math.sqrt(rank) * direction
    return moved * (norm / (tf.norm(moved) + TINY))


def orthogonalized(kernel: Any) -> Any:
    """The kernel (h, w, in, out) with singular values near 1 and the same singular vectors, as a matrix
    (h * w * in, out).

    Values far below the largest one stay small. This is the Newton-Schulz iteration with Jordan's coefficients: they
    do not converge to 1, but come near it in the fewest iterations. An iteration multiplies the matrix by a polynomial
    of its Gram matrix. So only the small Gram matrix is iterated, which takes half the arithmetic for most kernels. As
    in the author's own code, bfloat16 is exact enough.
    """
    matrix = tf.reshape(kernel, (-1, kernel.shape[-1]))
    is_wide = matrix.shape[0] < matrix.shape[1]
    matrix = tf.cast(matrix / (tf.norm(matrix) + TINY), keras.DTypePolicy(quick_policy()).compute_dtype)
    gram = tf.matmul(matrix, matrix, transpose_a=not is_wide, transpose_b=is_wide)
    first, third, fifth = COEFFICIENTS
    product = identity = tf.eye(gram.shape[0], dtype=matrix.dtype)
    for _ in range(ITERATIONS):
        factor = first * identity + third * gram + fifth * tf.matmul(gram, gram)
        product = tf.matmul(product, factor)
        gram = tf.matmul(tf.matmul(factor, factor), gram)
    matrix = tf.matmul(product, matrix) if is_wide else tf.matmul(matrix, product)
    return tf.reshape(tf.cast(matrix, tf.float32), kernel.shape)
