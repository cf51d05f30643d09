"""A network's twin for training alone: the same layers in arithmetic that takes less time.

A twin's weights are float32 copies. Those that it learned go back into the network itself, which alone is scored, kept
and exported: nothing of a twin gets into a file.

Processor time a picture at 224 px on a processor with AMX. A step of a U-Net's decoder, 8 pictures: 20.4 ms by Keras's
layers in float32, 16.3 with fused batch normalization, 16.1 with bfloat16 alone, 9.6 with both. lite0's features, 16
pictures: 7.1 ms in float32, 3.7 in bfloat16, which differs by 4 % (stride 2) to 12 % of their standard deviation.
Without AMX, a step of lite0's tail, 32 pictures: 7.5 ms, 6.7 with small-map depthwise gradients and `adam.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer_worker.optimization.bfloat16 import computes_bfloat16

#: Of a map, h * w, and a side of the kernel: beyond them TensorFlow's own gradient is used. For 3 x 3 it is quick; how
#: many cells are too many is an estimate: 49 were measured, and the work of the other way grows with their square.
MOST_CELLS = 100
LEAST_KERNEL = 5


class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Batch normalization of (n, h, w, c) by one kernel; Keras composes it of a dozen, each of which reads it all."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Of the batch's own statistics: a twin is never asked for predictions."""
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
    """A depthwise convolution that learns quicker where its kernel is large and its maps are small."""

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
    """maps: (n, h, w, c). kernel: (k, l, c, 1). Only the kernel's gradient is worked out otherwise: TensorFlow's kernel
    for it takes 17 of the 21 ms of 32 maps of 7 x 7 x 1,152 by 5 x 5, this way takes 6.
    """
    strides = [1, 1, 1, 1]

    def gradient(of_outputs: Any) -> tuple[Any, Any]:
        of_maps = tf.nn.depthwise_conv2d_backprop_input(tf.shape(maps), kernel, of_outputs, strides, "SAME")
        by_channel = [
            tf.reshape(tf.transpose(x, (3, 1, 2, 0)), (maps.shape[3], -1, tf.shape(maps)[0]))
            for x in (maps, of_outputs)
        ]
        # What each input cell has to do with each output cell, (c, h * w, h * w), added up by how far apart they are.
        products = tf.matmul(by_channel[0], by_channel[1], transpose_b=True)
        taps = _taps(*maps.shape[1:3], *kernel.shape[:2])
        of_kernel = tf.matmul(tf.reshape(products, (maps.shape[3], -1)), taps)
        return of_maps, tf.reshape(tf.transpose(of_kernel), kernel.shape)

    return tf.nn.depthwise_conv2d(maps, kernel, strides, "SAME"), gradient


def _taps(height: int, width: int, kernel_height: int, kernel_width: int) -> Any:
    """float32 (h * w * h * w, k * l): 1 where that weight of the kernel leads from the one cell to the other."""

    def along(cells: int, weights: int) -> Any:
        distances = np.arange(cells)[:, None] - np.arange(cells)[None]
        return distances[..., None] == np.arange(weights) - (weights - 1) // 2

    rows, columns = along(height, kernel_height), along(width, kernel_width)
    both = rows[:, None, :, None, :, None] & columns[None, :, None, :, None, :]
    return both.reshape(-1, kernel_height * kernel_width).astype(np.float32)


def quick_policy() -> str:
    """The Keras dtype policy for a twin on this machine. The weights are float32 in any case."""
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    return "mixed_bfloat16" if computes_bfloat16() and not on_gpu else "float32"


def decoder_twin(decoder: Any) -> Any:
    """For training steps. decoder: a functional keras.Model.

    Returns another, with weights of its own of the same values and order.
    """
    return _twin(decoder, quick_policy(), {keras.layers.BatchNormalization: FusedBatchNormalization})


def tail_twin(tail: Any) -> Any:
    """The same for a classifier's tail, whose batch normalizations, if it has any, are frozen.

    Always float32: bfloat16 takes longer for its small maps, 11 instead of 7 ms of processor time a picture with AMX.
    """
    return _twin(tail, "float32", {keras.layers.DepthwiseConv2D: SmallMapDepthwiseConv2D})


def encoder_twin(encoder: Any) -> Any:
    """The same for an encoder, which is not trained: its batch normalizations go by their moving averages."""
    return _twin(encoder, quick_policy(), {})


def _twin(network: Any, policy_name: str, instead: Mapping[type, type]) -> Any:
    policy = keras.DTypePolicy(policy_name)

    def twin_layer(layer: Any) -> Any:
        if not isinstance(layer, keras.layers.Layer):  # a bare operation computes in what it gets
            return layer.from_config(layer.get_config())
        kind: Any = instead.get(type(layer), type(layer))
        return kind.from_config({**layer.get_config(), "dtype": policy})

    inputs = keras.tree.map_structure(
        lambda x: keras.Input(x.shape[1:], dtype=policy.compute_dtype, name=x.name), network.input
    )
    twin = keras.models.clone_model(network, input_tensors=inputs, clone_function=twin_layer)
    twin.set_weights(network.get_weights())
    return twin
