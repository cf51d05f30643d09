"""Folders with small networks of an operator's own, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from keras import layers

from trainer_worker.attempt.local_weights import LocalWeights
from trainer_worker.backbones.backbone import Backbone
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.backbones.own_folder import KERAS_FILE, SAVED_MODEL, SETTINGS_FILE
from trainer_worker.backbones.own_network import load_own_network

SIZE = 64
WORDS = 'network = "Tiny network"\nlicence = "CC0-1.0"\n'
#: As PyTorch's documents give them.
IMAGENET = "mean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]\n"


def cnn(side: int | None = None) -> keras.Model:
    """Halves its map five times, with layers called like ones that trainers add."""
    keras.utils.set_random_seed(1)
    image = x = keras.Input((side, side, 3), name="image")
    for stage, channels in enumerate((8, 8, 16, 16, 32)):
        x = layers.Conv2D(channels, 3, 2, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(name=f"norm{stage}")(x)
        x = layers.ReLU(name=f"stage{stage}")(x)
    x = layers.Dropout(0.5, name="pool")(layers.Conv2D(48, 1, activation="relu", name="logits")(x))
    return keras.Model(image, x)


def vit(side: int = SIZE, constant_positions: bool = False) -> keras.Model:
    """A vision transformer with a class token: float32 (n, side, side, 3) to (n, 1 + tokens, 32).

    constant_positions: its position embeddings are no weights but numbers that lie beside the graph.
    """
    keras.utils.set_random_seed(1)
    width, cells = 32, (side // 16) ** 2
    image = keras.Input((side, side, 3))
    x = layers.Reshape((cells, width))(layers.Conv2D(width, 16, 16)(image))
    zero = keras.ops.zeros_like(image[:, :1, 0, 0])
    x = keras.ops.concatenate([layers.Embedding(1, width)(zero), x], axis=1)
    if constant_positions:
        positions = keras.ops.arange(cells + 1)[None]
    else:
        positions = keras.ops.cumsum(keras.ops.ones_like(x[:, :, 0]), axis=1) - 1
    x = x + layers.Embedding(cells + 1, width)(positions)
    for number in range(2):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(2, width // 2, dropout=0.1)(y, y)])
        y = layers.Dense(4 * width, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add(name=f"block{number}")([x, layers.Dropout(0.1)(layers.Dense(width)(y))])
    return keras.Model(image, layers.LayerNormalization()(x))


def put(folder: Path, settings: str, network: Any = None, saved_model: bool = False) -> Path:
    """Write a folder of [worker] backbone_dir."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS_FILE).write_text(settings)
    if saved_model:
        network.export(folder / SAVED_MODEL, verbose=False)
    elif network is not None:
        network.save(folder / KERAS_FILE)
    return folder


def load(folder: Path) -> Backbone:
    return load_own_network(LocalWeights.at(folder))


def put_cnn(folder: Path) -> Path:
    endpoints = ", ".join(f'"stage{stage}"' for stage in range(5))
    return put(folder, f'{WORDS}{IMAGENET}trunk_end = "stage3"\nendpoints = [{endpoints}]\n', cnn())


def put_vit(folder: Path) -> Path:
    settings = f'{WORDS}{IMAGENET}input_px = {SIZE}\ntokens = "first"\ntrunk_end = "block0"\nchannels = "bgr"\n'
    return put(folder, settings, vit())


def put_saved_model(folder: Path) -> Path:
    return put(folder, f'{WORDS}{IMAGENET}input_px = {SIZE}\ntokens = "first"\n', vit(), saved_model=True)


def put_lite0(folder: Path) -> Path:
    """Our own network, which has its preprocessing inside."""
    return put(folder, f'{WORDS}input_px = {SIZE}\ntrunk_end = "{LITE0.trunk_end}"\n', LITE0.build(SIZE))
