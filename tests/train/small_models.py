"""Small trained models and their exported files, for the tests of exports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers
from sklearn.datasets import load_digits

from trainer_worker.exporting.checks import ExportChecks, Exports, HeldOut
from trainer_worker.exporting.writers import ModelToExport
from trainer_worker.exporting.writing import export_model

SIDE = 32
HELD_OUT = 40
THREADS = 1

#: What the installed packages can write: all but ONNX.
WRITABLE = ("keras", "saved_model", "tflite", "tflite_float16", "tflite_int8")
#: Those whose outputs are the model's; int8 only comes near.
FLOATS = WRITABLE[:4]


def nothing(_: float) -> None:
    pass


def block(x: Any, channels: int, stride: int = 1) -> Any:
    x = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.8)(x)
    x = layers.ReLU(6.0)(x)
    x = layers.Conv2D(channels, 1, use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.8)(x)


def classifier(offset: float = -1.0) -> keras.Model:
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.Rescaling(1 / 127.5, offset)(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.8)(layers.Conv2D(16, 3, 2, padding="same")(x)))
    x = layers.Add()([block(x, 16), x])
    x = layers.Flatten()(layers.ReLU(6.0)(block(x, 24, stride=2)))
    x = layers.Dropout(0.2)(x)  # has a state of its own, which must not get in the way
    return keras.Model(image, layers.Dense(10, activation="softmax", name="_head")(x))


def segmenter(offset: float = -1.0) -> keras.Model:
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.Rescaling(1 / 127.5, offset)(image)
    half = block(layers.Conv2D(8, 3, 2, padding="same", activation="relu")(x), 16)
    quarter = layers.ReLU(6.0)(block(half, 24, stride=2))
    eighth = layers.ReLU(6.0)(block(quarter, 24, stride=2))
    x = layers.Concatenate()([layers.UpSampling2D(interpolation="bilinear")(eighth), quarter])
    x = layers.Concatenate()([layers.Conv2DTranspose(16, 3, 2, padding="same", activation="relu")(x), half])
    x = layers.Resizing(SIDE, SIDE)(layers.Conv2D(8, 3, padding="same", activation="relu")(x))
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(x))


class Trained:
    """A model trained for a few steps, its files, and what it says about the held-out images."""

    def __init__(self, kind: str, folder: Path) -> None:
        keras.utils.set_random_seed(1)
        digits = load_digits()
        pixels = np.repeat(np.repeat(digits.images, 4, axis=1), 4, axis=2) * (255 / 16)
        images = np.repeat(pixels[:640, :, :, None], 3, axis=3).astype(np.uint8)
        self.make = classifier if kind == "classification" else segmenter
        targets: Any = digits.target[:640] if kind == "classification" else (images[..., :1] > 100).astype(np.float32)
        self.model = self.make()
        loss = "sparse_categorical_crossentropy" if kind == "classification" else "binary_crossentropy"
        self.model.compile("adam", loss)
        self.model.fit(images[HELD_OUT:].astype(np.float32), targets[HELD_OUT:], epochs=4, verbose=0)
        self.inputs, self.truth = images[:HELD_OUT], targets[:HELD_OUT]
        self.training = images[HELD_OUT:104]
        self.reference = np.asarray(self.model(self.inputs.astype(np.float32), training=False))
        self.steps: list[float] = []
        self.files = self.export(self.model, folder, WRITABLE, self.steps.append)

        self.folder = folder
        self.wrong: dict[str, dict[str, Path]] = {}

    def export(
        self, model: Any, folder: Path, formats: Sequence[str], on_step: Callable[[float], None] = nothing
    ) -> dict[str, Path]:
        files: dict[str, Path] = {}
        assert (
            export_model(ModelToExport(model, lambda: self.training), folder, formats, files.__setitem__, on_step) == []
        )
        return files

    def wrong_files(self, fault: str) -> dict[str, Path]:
        """Files of a model that went wrong on its way: some weights halved, the input not centred, or NaN."""
        if fault not in self.wrong:
            wrong = self.make(offset=0.0 if fault == "preprocessing" else -1.0)
            wrong.set_weights(self.model.get_weights())
            if fault != "preprocessing":
                kernel, bias = wrong.layers[-1].get_weights()
                kernel[..., ::2, :] *= np.nan if fault == "nan" else 0.5
                wrong.layers[-1].set_weights([kernel, bias])
            (self.folder / fault).mkdir()
            self.wrong[fault] = self.export(wrong, self.folder / fault, FLOATS)
        return self.wrong[fault]

    def score(self, outputs: npt.NDArray[np.float32]) -> float:
        decided = outputs.argmax(-1) if outputs.shape[-1] > 1 else outputs >= 0.5
        return float(np.mean(decided == self.truth))

    def check(self, files: dict[str, Path], on_step: Callable[[float], None] = nothing) -> Exports:
        with ExportChecks(HeldOut(self.inputs, self.reference, self.score, "accuracy"), THREADS) as checks:
            for name, path in files.items():
                checks.begin(name, path)
            return checks.finish(on_step)
