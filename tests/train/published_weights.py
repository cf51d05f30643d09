"""Weights files as Keras Applications publishes them, with random numbers in them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from trainer_worker.backbones.weights_files import WEIGHTS_FILES

FUNCTIONS = {
    "mobilenet_v2": keras.applications.MobileNetV2,
    "mobilenet_v3_large": keras.applications.MobileNetV3Large,
    "efficientnet_v2_b0": keras.applications.EfficientNetV2B0,
    "efficientnet_v2_b1": keras.applications.EfficientNetV2B1,
    "resnet50_v2": keras.applications.ResNet50V2,
}
PREPROCESSING = {
    "mobilenet_v2": keras.applications.mobilenet_v2.preprocess_input,
    "mobilenet_v3_large": keras.applications.mobilenet_v3.preprocess_input,
    "efficientnet_v2_b0": keras.applications.efficientnet_v2.preprocess_input,
    "efficientnet_v2_b1": keras.applications.efficientnet_v2.preprocess_input,
    "resnet50_v2": keras.applications.resnet_v2.preprocess_input,
}


@functools.lru_cache(maxsize=2)
def random_application(name: str, image_size: int, seed: int = 1) -> keras.Model:
    """Keras's own network without top, with random weights and the batch statistics of some noise.

    With other statistics activations grow from layer to layer until rounding errors decide the outputs. Callers
    share the model, so they may not change it.
    """
    keras.utils.set_random_seed(seed)
    model = FUNCTIONS[name](include_top=False, weights=None, input_shape=(image_size, image_size, 3))
    random = np.random.default_rng(seed)
    normalizations = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in normalizations:
        size = layer.gamma.shape
        layer.gamma.assign(random.uniform(0.8, 1.2, size))
        layer.beta.assign(random.normal(0, 0.2, size))
        layer.momentum = 0.0  # the next batch's statistics take the place of those before
    noise = random.uniform(0, 255, (8, image_size, image_size, 3)).astype(np.float32)
    model(PREPROCESSING[name](noise), training=True)
    return model


def publish_weights(name: str, model: keras.Model, folder: Path) -> Path:
    """Write the file that `backbone=<name>` looks for: an HDF5 file with one group a layer."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / "whole_model.h5"
    model.save(whole)  # the old format; what it holds under model_weights is what Keras publishes
    with h5py.File(whole) as source, h5py.File(folder / WEIGHTS_FILES[name], "w") as target:
        weights: Any = source["model_weights"]
        target.attrs.update(weights.attrs)
        for layer in weights:
            weights.copy(layer, target)
    whole.unlink()
    return folder / WEIGHTS_FILES[name]
