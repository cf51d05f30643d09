"""Copies of a network that are only used for training: the same layers, in arithmetic that takes less time.

A copy has float32 weights of its own. What it has learned is set in the network itself, and only that network is
scored, kept and exported. The times saved are in docs/choices.md, "Networks for training only".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer_worker.optimization.bfloat16 import computes_bfloat16

#: TensorFlow's own depthwise gradient is used for maps of more cells (h * w) and for kernels with shorter sides. It is
#: quick for 3 x 3 kernels, and our work grows with the square of the cells (docs/choices.md, "Networks for training
#: only").
MOST_CELLS = 100
LEAST_KERNEL = 5


class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Batch normalization of (n, h, w, c) by one operation. Keras uses a dozen, each of which reads all the data."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize by the batch's own statistics, since a training copy never makes predictions."""
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            self.gamma,
            self.beta,
            self.moving_mean,
            self.moving_variance,
            epsilon=self.epsilon,
            exponential_avg_factor=1 - self.momentum,
        )
        self.moving_mean.assign(mean)
        self.moving_variance.assign(variance)
        return outputs


class SmallMapDepthwiseConv2D(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
    """A depthwise convolution whose gradient takes less time if its kernel is large and its maps are small."""

    def call(self, inputs: Any) -> Any:
        plain = (self.strides, self.dilation_rate, self.padding, self.depth_multiplier) == ((1, 1), (1, 1), "same", 1)
        cells = inputs.shape[1] * inputs.shape[2]
        if (
            not plain
            or self.data_format != "channels_last"
            or cells > MOST_CELLS
            or max(self.kernel_size) < LEAST_KERNEL
        ):
            return super().call(inputs)
        outputs = _depthwise(inputs, tf.convert_to_tensor(self.kernel))
        return self.activation(outputs + self.bias if self.use_bias else outputs)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _depthwise(maps: Any, kernel: Any) -> Any:
    """The depthwise convolution of maps (n, h, w, c) with a kernel (k, l, c, 1).

    Only the kernel's gradient differs from TensorFlow's: it is computed by matrix products, because TensorFlow's
    operation for it takes most of the layer's time (docs/choices.md, "Networks for training only").
    """
    strides = [1, 1, 1, 1]

    def gradient(of_outputs: Any) -> tuple[Any, Any]:
        of_maps = tf.nn.depthwise_conv2d_backprop_input(tf.shape(maps), kernel, of_outputs, strides, "SAME")
        by_channel = [
            tf.reshape(tf.transpose(x, (3, 1, 2, 0)), (maps.shape[3], -1, tf.shape(maps)[0]))
            for x in (maps, of_outputs)
        ]
        # The product of each input cell with each output cell, (c, h * w, h * w). A weight's gradient is the sum over
        # the pairs of cells that it connects.
        products = tf.matmul(by_channel[0], by_channel[1], transpose_b=True)
        taps = _taps(*maps.shape[1:3], *kernel.shape[:2])
        of_kernel = tf.matmul(tf.reshape(products, (maps.shape[3], -1)), taps)
        return of_maps, tf.reshape(tf.transpose(of_kernel), kernel.shape)

    return tf.nn.depthwise_conv2d(maps, kernel, strides, "SAME"), gradient


def _taps(height: int, width: int, kernel_height: int, kernel_width: int) -> Any:
    """float32 (h * w * h * w, k * l): 1 where that weight of the kernel connects the two cells, else 0."""

    def along(cells: int, weights: int) -> Any:
        distances = np.arange(cells)[:, None] - np.arange(cells)[None]
        return distances[..., None] == np.arange(weights) - (weights - 1) // 2

    rows, columns = along(height, kernel_height), along(width, kernel_width)
    both = rows[:, None, :, None, :, None] & columns[None, :, None, :, None, :]
    return both.reshape(-1, kernel_height * kernel_width).astype(np.float32)


def quick_policy() -> str:
    """The Keras dtype policy of a training copy on this machine. The weights are float32 in any case."""
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    return "mixed_bfloat16" if computes_bfloat16() and not on_gpu else "float32"


def decoder_twin(decoder: Any) -> Any:
    """A copy of the decoder, a functional keras.Model, for training steps.

    It has weights of its own, with the same values and in the same order.
    """
    return _twin(decoder, quick_policy(), {keras.layers.BatchNormalization: FusedBatchNormalization})


def tail_twin(tail: Any) -> Any:
    """The same for a classifier's tail, whose batch normalizations, if it has any, are frozen.

    It is always float32: bfloat16 takes longer for the small maps (docs/choices.md, "Networks for training only").
    """
    return _twin(tail, "float32", {keras.layers.DepthwiseConv2D: SmallMapDepthwiseConv2D})


def encoder_twin(encoder: Any) -> Any:
    """The same for an encoder, which is not trained: its batch normalizations use their moving averages."""
    return _twin(encoder, quick_policy(), {})


def _twin(network: Any, policy_name: str, instead: Mapping[type, type]) -> Any:
    policy = keras.DTypePolicy(policy_name)

    def twin_layer(layer: Any) -> Any:
        if not isinstance(layer, keras.layers.Layer):  # a bare operation computes in the dtype of its inputs
            return layer.from_config(layer.get_config())
        kind: Any = instead.get(type(layer), type(layer))
        return kind.from_config({**layer.get_config(), "dtype": policy})

    inputs = keras.tree.map_structure(
        lambda x: keras.Input(x.shape[1:], dtype=policy.compute_dtype, name=x.name), network.input
    )
    twin = keras.models.clone_model(network, input_tensors=inputs, clone_function=twin_layer)
    twin.set_weights(network.get_weights())
    return twin
