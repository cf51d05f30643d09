"""Keras Applications with ImageNet weights from a local file.

Each network is cut near the start of its last stage, and its preprocessing is put in front of it. Batch normalizations
keep their statistics and scales, and random drops are switched off (docs/choices.md, "Batch normalization stays
frozen").
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from protocol.errors import TrainingError
from trainer_worker.attempt.local_weights import LocalWeights
from trainer_worker.backbones.backbone import Backbone


@dataclass(frozen=True)
class _Preprocessing:
    """The preprocessing that a network expects: x * scale + offset for each channel of RGB, 0 to 255."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]


_FROM_MINUS_1_TO_1 = _Preprocessing((1 / 127.5,) * 3, (-1.0,) * 3)
_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: The preprocessing of EfficientNetV2. Keras's own layer for it keeps its numbers outside of variables, which no export
#: format can store.
_STANDARDISED = _Preprocessing(
    tuple(1 / (255 * deviation) for deviation in _IMAGENET_DEVIATION),
    tuple(-mean / deviation for mean, deviation in zip(_IMAGENET_MEAN, _IMAGENET_DEVIATION, strict=True)),
)


@dataclass(frozen=True)
class _Application:
    """build: makes the network without preprocessing. preprocess: applied to RGB 0..255. The rest: see Backbone."""

    network: str
    build: Callable[..., Any]
    preprocess: _Preprocessing
    trunk_end: str
    endpoints: tuple[str, ...]
    features_cost: float
    training_cost: float
    exports_cost: float


_APPLICATIONS: Mapping[str, _Application] = {
    "mobilenet_v2": _Application(
        network="MobileNetV2",
        build=keras.applications.MobileNetV2,
        preprocess=_FROM_MINUS_1_TO_1,
        trunk_end="block_13_project_BN",
        endpoints=("expanded_conv_project_BN", "block_2_add", "block_5_add", "block_12_add", "block_16_project_BN"),
        features_cost=0.75,
        training_cost=0.65,
        exports_cost=1.2,
    ),
    "mobilenet_v3_large": _Application(
        network="MobileNetV3-Large",
        build=functools.partial(keras.applications.MobileNetV3Large, include_preprocessing=False),
        preprocess=_FROM_MINUS_1_TO_1,
        trunk_end="expanded_conv_12_project_bn",
        endpoints=(
            "expanded_conv_add",
            "expanded_conv_2_add",
            "expanded_conv_5_add",
            "expanded_conv_11_add",
            "expanded_conv_14_add",
        ),
        features_cost=0.7,
        training_cost=0.65,
        exports_cost=1.5,
    ),
    "efficientnet_v2_b0": _Application(
        network="EfficientNetV2-B0",
        build=functools.partial(keras.applications.EfficientNetV2B0, include_preprocessing=False),
        preprocess=_STANDARDISED,
        trunk_end="block6a_project_bn",
        endpoints=("block1a_project_activation", "block2b_add", "block3b_add", "block5e_add", "block6h_add"),
        features_cost=1.9,
        training_cost=2.2,
        exports_cost=3.7,
    ),
    "efficientnet_v2_b1": _Application(
        network="EfficientNetV2-B1",
        build=functools.partial(keras.applications.EfficientNetV2B1, include_preprocessing=False),
        preprocess=_STANDARDISED,
        trunk_end="block6a_project_bn",
        endpoints=("block1b_add", "block2c_add", "block3c_add", "block5f_add", "block6i_add"),
        features_cost=2.6,
        training_cost=2.5,
        exports_cost=4.2,
    ),
    "resnet50_v2": _Application(
        network="ResNet50V2",
        build=keras.applications.ResNet50V2,
        preprocess=_FROM_MINUS_1_TO_1,
        # One block later the maps have 2048 channels, which would take too much memory for each picture.
        trunk_end="conv4_block6_out",
        endpoints=("conv1_conv", "conv2_block2_out", "conv3_block3_out", "conv4_block5_out", "post_relu"),
        features_cost=7.9,
        training_cost=6.4,
        exports_cost=6.3,
    ),
}


def load_application(name: str, weights: LocalWeights) -> Backbone:
    """The backbone of that name (a key of weights_files.WEIGHTS_FILES) with these weights.

    `build` raises TrainingError unsupported_option if the file has other weights, or has changed.
    """
    application = _APPLICATIONS[name]
    return Backbone(
        name=name,
        network=application.network,
        licence=f"that of the file {weights.path.name}, which the operator of this TFModel has put there",
        weights_sha256=weights.sha256,
        build=functools.partial(_build, application, weights),
        trunk_end=application.trunk_end,
        endpoints=application.endpoints,
        features_cost=application.features_cost,
        training_cost=application.training_cost,
        exports_cost=application.exports_cost,
    )


def _build(application: _Application, weights: LocalWeights, image_size: int) -> Any:
    image = keras.Input((image_size, image_size, 3), name="image")
    scale, offset = list(application.preprocess.scale), list(application.preprocess.offset)
    x = layers.Rescaling(scale, offset, name="preprocess")(image)
    model = application.build(include_top=False, weights=None, input_tensor=x)
    try:
        model.load_weights(weights.path)
    except Exception as error:  # for a wrong file HDF5 and Keras raise many kinds of exceptions
        raise TrainingError(
            "unsupported_option",
            f"{weights.path} does not hold the weights of {application.network} without its top, as Keras Applications "
            f"publishes them: {str(error)[:300]}",
        ) from error
    weights.refuse_if_changed()
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False  # this layer then also uses its moving averages
        elif isinstance(layer, layers.Dropout):
            layer.rate = 0.0
    return keras.Model(image, model.output, name=model.name)  # Keras's own takes a list of one image
