"""Copies of a network that are only used for training: the same layers, in arithmetic that takes less time.

A copy has float32 weights of its own. What it has learned is set in the network itself, and only that network is
scored, kept and exported. docs/choices.md, "Networks for training only", has the time that this saves.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import record

from trainer_worker.optimization.bfloat16 import computes_bfloat16

#: Our gradient of a depthwise kernel is used for maps of at most this many cells (h * w) and for kernels with at least
#: this side. Its work grows with the square of the cells, and TensorFlow's own gradient is quick for 3 x 3 kernels
#: (docs/choices.md, "Networks for training only").
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
    """A depthwise convolution whose kernel's gradient takes less time if the kernel is large and the maps are small."""

    def call(self, inputs: Any) -> Any:
        """Convolve (n, h, w, c). Only where our gradient applies and is quicker, it takes the place of Keras's."""
        ways = (self.strides, self.dilation_rate, self.padding, self.depth_multiplier, self.data_format)
        is_plain = ways == ((1, 1), (1, 1), "same", 1, "channels_last")
        is_quicker = min(self.kernel_size) >= LEAST_KERNEL and inputs.shape[1] * inputs.shape[2] <= MOST_CELLS
        if not (is_plain and is_quicker):
            return super().call(inputs)
        outputs = _depthwise(inputs, tf.convert_to_tensor(self.kernel))
        return self.activation(outputs + self.bias if self.use_bias else outputs)


def _depthwise(maps: Any, kernel: Any) -> Any:
    """The depthwise convolution of maps (n, h, w, c) with a kernel (k, l, c, 1).

    Only the kernel's gradient differs from TensorFlow's: matrix products compute it, because TensorFlow's operation for
    it runs on one core and takes longer. The gradient is recorded for the tape alone. tf.custom_gradient would register
    it for good at each trace, and with it the graph and the weights of every task.
    """
    strides = [1, 1, 1, 1]

    def gradient(of_outputs: Any) -> tuple[Any, Any]:
        of_maps = tf.nn.depthwise_conv2d_backprop_input(tf.shape(maps), kernel, of_outputs, strides, "SAME")
        by_channel = [
            tf.reshape(tf.transpose(x, (3, 1, 2, 0)), (maps.shape[3], -1, tf.shape(maps)[0]))
            for x in (maps, of_outputs)
        ]
        # The product of each input cell with each output cell, (c, h * w, h * w). A weight's gradient is the sum over
        # the pairs of cells that the weight connects.
        products = tf.matmul(by_channel[0], by_channel[1], transpose_b=True)
        connected = _connected_cells(*maps.shape[1:3], *kernel.shape[:2])
        of_kernel = tf.matmul(tf.reshape(products, (maps.shape[3], -1)), connected)
        return of_maps, tf.reshape(tf.transpose(of_kernel), kernel.shape)

    with record.stop_recording():
        outputs = tf.nn.depthwise_conv2d(maps, kernel, strides, "SAME")
    record.record_operation("SmallMapDepthwise", [outputs], [maps, kernel], gradient)
    return outputs


def _connected_cells(height: int, width: int, kernel_height: int, kernel_width: int) -> Any:
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


def copy_of_decoder(decoder: Any) -> Any:
    """A copy of a decoder, which is a functional keras.Model, for training steps.

    The copy has weights of its own, with the same values and in the same order.
    """
    return _copy(decoder, quick_policy(), {keras.layers.BatchNormalization: FusedBatchNormalization})


def copy_of_tail(tail: Any) -> Any:
    """A copy of a classifier's tail for training steps. If the tail has batch normalizations, they stay frozen.

    Only its convolutions compute in bfloat16. Depthwise ones would take longer in it (docs/choices.md, "Networks for
    training only").
    """
    replacements = {keras.layers.DepthwiseConv2D: SmallMapDepthwiseConv2D}
    return _copy(tail, "float32", replacements, {keras.layers.Conv2D: quick_policy()})


def copy_of_encoder(encoder: Any) -> Any:
    """A copy of an encoder, which is not trained: its batch normalizations use their moving averages."""
    return _copy(encoder, quick_policy(), {})


def _copy(
    network: Any,
    policy_name: str,
    replacements: Mapping[type, type],
    policy_names: Mapping[type, str] = MappingProxyType({}),
) -> Any:
    """Copy a network.

    policy_name: of its inputs and layers. policy_names: those of classes of layers that have another one.
    replacements: for each class of layers that the copy replaces, the class that takes its place.
    """
    policy = keras.DTypePolicy(policy_name)

    def copied_layer(layer: Any) -> Any:
        if not isinstance(layer, keras.layers.Layer):  # a bare operation computes in the dtype of its inputs
            return layer.from_config(layer.get_config())
        layer_class: Any = replacements.get(type(layer), type(layer))
        own_policy = keras.DTypePolicy(policy_names.get(type(layer), policy_name))
        return layer_class.from_config({**layer.get_config(), "dtype": own_policy})

    inputs = keras.tree.map_structure(
        lambda x: keras.Input(x.shape[1:], dtype=policy.compute_dtype, name=x.name), network.input
    )
    copy = keras.models.clone_model(network, input_tensors=inputs, clone_function=copied_layer)
    copy.set_weights(network.get_weights())
    return copy
