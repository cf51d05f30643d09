"""A U-Net (Ronneberger et al., 2015) whose encoder is a frozen, pretrained backbone.

The encoder gives features at strides 2, 4, 8, 16 and 32; only the decoder learns. The decoder is small, so that two
CPU cores can train it: a 1x1 convolution narrows each skip connection, one 3x3 convolution mixes it in, and the last
step from half to full size is a transposed convolution instead of convolutions at full size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from trainer_worker.backbones.backbone import STRIDES, Backbone

#: Channels of the decoder at strides 32, 16, 8, 4, 2.
DECODER_CHANNELS = (128, 96, 64, 48, 32)
#: How many of them come from the skip connection; the others come from below. Multiples of 16 fill the vectors of the
#: processor (docs/choices.md, "Channels of the skip connections").
SKIP_CHANNELS = (0, 48, 32, 16, 16)
#: Keras's default of 0.99 averages over hundreds of steps, but a small task has fewer.
BATCH_NORM_MOMENTUM = 0.9


def build_encoder(backbone: Backbone, image_size: int) -> Any:
    """The frozen encoder: keras.Model from float32 (n, S, S, 3), RGB 0 to 255, to features at strides 2 to 32."""
    model = backbone.build(image_size)
    model.trainable = False
    endpoints = [model.get_layer(name).output for name in backbone.endpoints]
    return keras.Model(model.input, endpoints, name="encoder")


def compose(encoder: Any, decoder: Any) -> Any:
    """The model to export: float32 (n, S, S, 3), RGB 0 to 255, to probabilities: of foreground (n, S, S, 1), or of
    each of the decoder's K classes (n, S, S, K), which add up to 1."""
    logits = decoder(encoder.outputs)
    if decoder.output.shape[-1] == 1:
        probabilities = layers.Activation("sigmoid", dtype="float32", name="foreground")(logits)
    else:
        probabilities = layers.Softmax(dtype="float32", name="classes")(logits)
    return keras.Model(encoder.input, probabilities, name="unet")


def logits_of(model: Any) -> Any:
    """The last layer with weights of a model made by `compose`. It is linear."""
    return model.get_layer("decoder").get_layer("logits")


def build_decoder(skip_shapes: Sequence[tuple[int, int, int]], channels_out: int = 1) -> Any:
    """Features -> logits.

    skip_shapes: (height, width, channels) at strides 2, 4, 8, 16, 32. channels_out: 1 for foreground or not, else
    the number of classes.
    Returns a keras.Model from those five tensors, float32 (n, h, w, c), to logits (n, S, S, channels_out). The first
    weights follow from keras.utils.set_random_seed.
    """
    inputs = [layers.Input(shape, name=f"skip_{stride}") for stride, shape in zip(STRIDES, skip_shapes, strict=True)]
    x = _conv(inputs[-1], DECODER_CHANNELS[0], 1, "bottom")
    rows = zip(inputs[-2::-1], SKIP_CHANNELS[1:], DECODER_CHANNELS[1:], STRIDES[-2::-1], strict=True)
    for skip, of_skip, channels, stride in rows:
        narrow = _conv(skip, of_skip, 1, f"narrow_{stride}")
        x = layers.UpSampling2D(2, name=f"up_{stride}")(_conv(x, channels - of_skip, 1, f"carry_{stride}"))
        x = layers.Concatenate(name=f"join_{stride}")([x, narrow])
        x = _conv(x, channels, 3, f"mix_{stride}")
    logits = layers.Conv2DTranspose(channels_out, 4, strides=2, padding="same", name="logits")(x)
    return keras.Model(inputs, logits, name="decoder")


def normalized_kernels(decoder: Any) -> list[Any]:
    """Kernels of the convolutions that a batch normalization follows. Their norms have no effect."""
    return [layer.kernel for layer in decoder.layers if layer.name.endswith("_conv")]


def _conv(x: Any, channels: int, kernel: int, name: str) -> Any:
    x = layers.Conv2D(
        channels, kernel, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
