"""Metadata inside of a real converted model, as TensorFlow's own classes and its interpreter see it."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from trainer_worker.classification.kind import KIND
from trainer_worker.exporting.metadata import tensor_names
from trainer_worker.exporting.model_use import ModelUse
from trainer_worker.exporting.scoring import load_predictor
from trainer_worker.exporting.writers import ModelToExport
from trainer_worker.exporting.writing import export_model
from trainer_worker.publishing.app_pack import label_model

SIDE = 32


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 3, activation="relu")(layers.Rescaling(1 / 255)(inputs))
    outputs = layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    folder = tmp_path_factory.mktemp("model")
    written: list[Path] = []
    no_pictures = np.zeros((0, SIDE, SIDE, 3), np.uint8)
    model = keras.Model(inputs, outputs)
    source = ModelToExport(model, lambda: no_pictures)
    export_model(source, folder, ["tflite"], lambda name, path: written.append(path), lambda fraction: None)
    return written[0]


def test_outputs_and_contents_stay_the_same_to_the_bit(model: Path, tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (8, SIDE, SIDE, 3)).astype(np.uint8)
    labelled = tmp_path / "model.tflite"
    labelled.write_bytes(model.read_bytes())

    use = ModelUse(train_type="classification", labels=tuple("abcde"), side_px=SIDE, is_mask=False)
    assert label_model(labelled, KIND, use) == []

    before, after = (load_predictor(path, 1)(pictures) for path in (model, labelled))
    assert before.std() > 0
    assert before.tobytes() == after.tobytes()
    old, new = (schema.ModelT.InitFromPackedBuf(path.read_bytes()) for path in (model, labelled))
    assert len(new.buffers) == len(old.buffers) + 1
    for ours, theirs in zip(new.buffers, old.buffers, strict=False):
        assert np.array_equal(ours.data, theirs.data)
    assert [entry.name for entry in new.metadata] == [*(entry.name for entry in old.metadata), b"TFLITE_METADATA"]
    for field in ("version", "description", "metadataBuffer"):
        assert np.array_equal(getattr(new, field), getattr(old, field)), field
    assert len(new.subgraphs[0].operators) == len(old.subgraphs[0].operators) > 0
    tensors = new.subgraphs[0].tensors
    numbers = (new.subgraphs[0].inputs[0], new.subgraphs[0].outputs[0])
    assert tensor_names(labelled.read_bytes()) == tuple(tensors[number].name.decode() for number in numbers)
