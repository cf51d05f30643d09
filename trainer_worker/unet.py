"""A U-Net (Ronneberger et al., 2015) whose encoder is a frozen, pretrained EfficientNet-Lite. Imports TensorFlow.

The encoder gives features at strides 2, 4, 8, 16 and 32; only the decoder learns. The decoder is small because
two CPU cores train it: a 1x1 convolution narrows each skip connection, one 3x3 convolution mixes it in, and the last
step from half to full size is a transposed convolution instead of convolutions at full size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

#: Channels of the decoder at strides 32, 16, 8, 4, 2.
DECODER_CHANNELS = (128, 96, 64, 48, 32)
#: Keras's default of 0.99 averages over hundreds of steps; a small task has fewer.
BATCH_NORM_MOMENTUM = 0.9


def build_decoder(skip_shapes: Sequence[tuple[int, int, int]], seed: int) -> Any:
    """Features -> logits.

    skip_shapes: (height, width, channels) at strides 2, 4, 8, 16, 32.
    Returns a keras.Model from those five tensors, float32 (n, h, w, c), to logits (n, S, S, 1).
    """
    seeds = keras.random.SeedGenerator(seed)
    inputs = [layers.Input(shape, name=f"skip_{2 ** (i + 1)}") for i, shape in enumerate(skip_shapes)]
    x = _conv(inputs[-1], DECODER_CHANNELS[0], 1, "bottom", seeds)
    for skip, channels, stride in zip(inputs[-2::-1], DECODER_CHANNELS[1:], (16, 8, 4, 2), strict=True):
        narrow = _conv(skip, channels // 2, 1, f"narrow_{stride}", seeds)
        x = layers.UpSampling2D(2, name=f"up_{stride}")(_conv(x, channels // 2, 1, f"carry_{stride}", seeds))
        x = layers.Concatenate(name=f"join_{stride}")([x, narrow])
        x = _conv(x, channels, 3, f"mix_{stride}", seeds)
    logits = layers.Conv2DTranspose(
        1, 4, strides=2, padding="same", kernel_initializer=keras.initializers.GlorotUniform(seeds), name="logits"
    )(x)
    return keras.Model(inputs, logits, name="decoder")


def _conv(x: Any, channels: int, kernel: int, name: str, seeds: Any) -> Any:
    initializer = keras.initializers.HeNormal(seeds)
    x = layers.Conv2D(
        channels, kernel, padding="same", use_bias=False, kernel_initializer=initializer, name=f"{name}_conv"
    )(x)
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
