"""Exported files behave like the trained model, and one that does not is caught, whatever the format."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits

from protocol.errors import TrainingError
from trainer_worker.exports import FORMATS, ExportCheck, check_exports, export_model, load_predictor

SIDE = 32
HELD_OUT = 40


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
        self.reference = np.asarray(self.model(self.inputs.astype(np.float32), training=False))
        self.steps: list[float] = []
        self.files = export_model(self.model, folder, self.steps.append)

        self.folder = folder
        self.wrong: dict[str, dict[str, Path]] = {}

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
            self.wrong[fault] = export_model(wrong, self.folder / fault, nothing)
        return self.wrong[fault]

    def score(self, outputs: npt.NDArray[np.float32]) -> float:
        decided = outputs.argmax(-1) if outputs.shape[-1] > 1 else outputs >= 0.5
        return float(np.mean(decided == self.truth))

    def check(self, files: dict[str, Path], on_step: Callable[[float], None] = nothing) -> list[ExportCheck]:
        return check_exports(files, self.inputs, self.reference, self.score, on_step)


@pytest.fixture(scope="module", params=["classification", "segmentation"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(request.param, tmp_path_factory.mktemp(request.param))


def test_every_format_scores_like_the_trained_model(trained: Trained) -> None:
    assert trained.score(trained.reference) > 0.8, "the model learned too little for the test to mean anything"
    steps: list[float] = []
    checks = trained.check(trained.files, steps.append)
    assert [check.format for check in checks] == list(FORMATS)
    for check in checks:
        assert check.file == FORMATS[check.format]
        assert check.score == pytest.approx(trained.score(trained.reference), abs=1e-3)
        assert check.max_difference < 1e-4
        assert check.agreement > 0.999
        assert check.ms_per_image > 0
        assert check.size_bytes > 4 * 0.9 * trained.model.count_params()
    for told in (steps, trained.steps):
        assert told == sorted(told)
        assert 0 < told[0] < told[-1] == 1.0


def test_the_saved_model_is_served_by_plain_tensorflow(trained: Trained) -> None:
    signature = tf.saved_model.load(str(trained.files["saved_model"])).signatures["serving_default"]
    (spec,) = signature.structured_input_signature[1].values()
    assert spec.shape.as_list() == [None, SIDE, SIDE, 3]
    assert spec.dtype == tf.float32
    for size in (1, 7):
        output = signature(image=tf.constant(trained.inputs[:size], tf.float32))["output"]
        assert np.abs(output.numpy() - trained.reference[:size]).max() < 1e-4


def test_the_tflite_file_has_fixed_shapes(trained: Trained) -> None:
    with pytest.warns(UserWarning, match="deprecated"):
        interpreter = tf.lite.Interpreter(model_path=str(trained.files["tflite"]))
    details = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    assert [list(tensor["shape_signature"]) for tensor in details] == [
        [1, SIDE, SIDE, 3],
        [1, *trained.reference.shape[1:]],
    ]
    assert [tensor["dtype"] for tensor in details] == [np.float32, np.float32]


@pytest.mark.parametrize("format_name", list(FORMATS))
def test_predictors_take_any_number_of_images(trained: Trained, format_name: str) -> None:
    predict = load_predictor(trained.files[format_name], threads=1)
    for size in (1, 16, 17, HELD_OUT):
        outputs = predict(trained.inputs[:size].astype(np.float32))
        assert outputs.dtype == np.float32
        assert outputs.shape == trained.reference[:size].shape
        assert np.abs(outputs - trained.reference[:size]).max() < 1e-4


@pytest.mark.parametrize("folder", ["photos [2024]", "what?", "*"])
def test_a_folder_may_be_named_like_a_pattern(trained: Trained, tmp_path: Path, folder: str) -> None:
    shutil.copytree(trained.folder, tmp_path / folder)
    for name, file in FORMATS.items():
        outputs = load_predictor(tmp_path / folder / file, threads=1)(trained.inputs)
        np.testing.assert_allclose(outputs, trained.reference, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("format_name", list(FORMATS))
@pytest.mark.parametrize("fault", ["weights", "preprocessing", "nan"])
def test_a_wrong_export_is_caught(trained: Trained, fault: str, format_name: str) -> None:
    with pytest.raises(TrainingError, match=FORMATS[format_name]) as caught:
        trained.check({format_name: trained.wrong_files(fault)[format_name]})
    assert caught.value.code == "export_mismatch"
    assert f"{trained.score(trained.reference):.4f}" in caught.value.error


def test_one_wrong_file_among_right_ones_is_named(trained: Trained) -> None:
    with pytest.raises(TrainingError, match=r"model\.tflite"):
        trained.check(trained.files | {"tflite": trained.wrong_files("weights")["tflite"]})


@pytest.mark.parametrize("format_name", list(FORMATS))
def test_a_damaged_file_is_caught(trained: Trained, tmp_path: Path, format_name: str) -> None:
    path = tmp_path / FORMATS[format_name]
    source = trained.files[format_name]
    if source.is_dir():
        shutil.copytree(source, path)
        (path / "saved_model.pb").write_bytes(b"not a graph")
    else:
        path.write_bytes(source.read_bytes()[:1000])
    with pytest.raises(TrainingError, match=FORMATS[format_name]) as caught:
        trained.check({format_name: path})
    assert caught.value.code == "export_mismatch"


def test_another_models_file_is_caught(trained: Trained, tmp_path: Path) -> None:
    image = keras.Input((SIDE, SIDE, 3))
    other = keras.Model(image, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(image)))
    files = export_model(other, tmp_path, nothing)
    with pytest.raises(TrainingError, match="outputs"):
        trained.check({"tflite": files["tflite"]})


def test_a_cancel_ends_export_and_check(trained: Trained, tmp_path: Path) -> None:
    def cancel(_: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        export_model(trained.model, tmp_path, cancel)
    with pytest.raises(InterruptedError):
        trained.check(trained.files, cancel)


def test_unknown_names_and_empty_inputs_are_refused(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"model\.onnx"):
        load_predictor(tmp_path / "model.onnx", threads=1)
    with pytest.raises(ValueError, match="0 held-out"):
        check_exports(trained.files, trained.inputs[:0], trained.reference[:0], trained.score, nothing)


def test_exporting_twice_gives_the_same_tflite_file(trained: Trained, tmp_path: Path) -> None:
    again = export_model(trained.model, tmp_path, nothing)
    assert again["tflite"].read_bytes() == trained.files["tflite"].read_bytes()
