"""Copies of a network that are only used for training: the same layers, in arithmetic that takes less time.

A copy has float32 weights of its own. What it has learned is set in the network itself, and only that network is
scored, kept and exported. docs/choices.md, "Networks for training only", has the time that this saves.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

from trainer_worker.optimization.bfloat16 import computes_bfloat16


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
    return _copy(tail, "float32", {}, {keras.layers.Conv2D: quick_policy()})


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
