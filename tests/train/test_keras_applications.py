"""Keras Applications from a local file: the same network as Keras's own, frozen where it must be, and trainable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from demo.segmentation_data import make_segmentation_project
from protocol.errors import TrainingError
from protocol.options import BackboneName, ClassificationOptions, ExportFormat, SegmentationOptions
from tests.project_folders import attempt_in, open_project
from tests.sample_tasks import hex_id
from tests.train.digit_projects import SIZE, write_digits
from tests.train.published_weights import PREPROCESSING, publish_weights, random_application
from tests.train.random_views import random_view
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, SilentReporter
from trainer_worker.attempt.local_weights import LocalWeights
from trainer_worker.backbones.backbone import STRIDES
from trainer_worker.backbones.catalogue import find_backbone
from trainer_worker.backbones.weights_files import WEIGHTS_FILES
from trainer_worker.classification import train as classification
from trainer_worker.classification.classifier import build_classifier
from trainer_worker.classification.dataset import LabelledFeatures
from trainer_worker.classification.fine_tuning import fit
from trainer_worker.pictures.contents import sha256_of_path
from trainer_worker.segmentation import train as segmentation

QUICKEST: BackboneName = "mobilenet_v2"
WRITABLE: tuple[ExportFormat, ...] = ("tflite", "tflite_float16", "tflite_int8", "saved_model", "keras")


def pictures(count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, SIZE, SIZE, 3)).astype(np.float32)


@pytest.mark.parametrize("name", WEIGHTS_FILES)
def test_a_backbone_is_keras_own_network_with_its_preprocessing_inside(name: str, tmp_path: Path) -> None:
    published = random_application(name, SIZE)
    backbone = find_backbone(name, LocalWeights.at(publish_weights(name, published, tmp_path)))

    model = backbone.build(SIZE)

    expected = published(PREPROCESSING[name](pictures()), training=False).numpy()
    np.testing.assert_allclose(model(pictures(), training=False).numpy(), expected, atol=2e-3)
    assert expected.std() > 0.1  # else anything would pass
    side = SIZE // 32
    assert model.output_shape == (None, side, side, expected.shape[-1])
    assert model.get_layer(backbone.trunk_end).output.shape[:3] == (None, side, side)
    sides = [model.get_layer(endpoint).output.shape[1] for endpoint in backbone.endpoints]
    assert sides == [SIZE // stride for stride in STRIDES]
    np.testing.assert_array_equal(model(pictures(), training=True), model(pictures(), training=False))
    assert not [layer.name for layer in model.layers if layer.name.startswith("_")]
    assert not freeze(model).captured_inputs  # what lies outside of variables gets into no exported file
    tail = keras.Model(model.get_layer(backbone.trunk_end).output, model.output)  # one cut parts the network
    assert tail.trainable_variables


def test_other_weights_are_another_backbone(tmp_path: Path) -> None:
    file = publish_weights(QUICKEST, random_application(QUICKEST, SIZE, 1), tmp_path)
    first, again = (find_backbone(QUICKEST, LocalWeights.at(file)) for _ in range(2))
    publish_weights(QUICKEST, random_application(QUICKEST, SIZE, 2), tmp_path)
    other = find_backbone(QUICKEST, LocalWeights.at(file))
    assert first == again != other
    with pytest.raises(TrainingError, match="has changed since the task began"):
        first.build(SIZE)  # the features of this task may be those of the other network
    other.build(SIZE)


def test_a_file_of_something_else_fails_the_task_with_words(tmp_path: Path) -> None:
    file = tmp_path / WEIGHTS_FILES[QUICKEST]
    other = "mobilenet_v3_large"
    of_another = publish_weights(other, random_application(other, SIZE), tmp_path).read_bytes()
    for content in (b"", b"no HDF5 at all", of_another):
        file.write_bytes(content)
        with pytest.raises(TrainingError, match="MobileNetV2 without its top") as caught:
            find_backbone(QUICKEST, LocalWeights.at(file)).build(SIZE)
        assert caught.value.code == "unsupported_option"
        assert str(file) in caught.value.error


def freeze(model: keras.Model) -> Any:
    """The model in inference mode as a concrete function, its variables as inputs."""
    weights = [model.trainable_variables, model.non_trainable_variables]
    signature = [[tf.TensorSpec(variable.shape, tf.float32) for variable in variables] for variables in weights]

    def run(trainable: list[Any], others: list[Any], image: Any) -> Any:
        return model.stateless_call(trainable, others, image, training=False)[0]

    specification = tf.TensorSpec((1, SIZE, SIZE, 3), tf.float32)
    return tf.function(run, autograph=False).get_concrete_function(*signature, specification)


def manifest_of(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return manifest


@pytest.mark.slow
def test_a_classifier_is_trained_and_exported_in_every_format(tmp_path: Path) -> None:
    published = random_application(QUICKEST, SIZE)
    file = publish_weights(QUICKEST, published, tmp_path / "weights")
    write_digits(tmp_path / "project", range(60))
    options = ClassificationOptions(image_size=SIZE, epochs=1, backbone=QUICKEST, exports=WRITABLE)
    job = Job(
        hex_id("t1"), 1, open_project(tmp_path / "project"), "classification", options, weights=LocalWeights.at(file)
    )

    folder = classification.train(Attempt(job, SilentReporter(), tmp_path / "cache", 2)).model_path.parent

    manifest = manifest_of(folder)
    assert {check["format"] for check in manifest["exports"]["formats"]} == set(WRITABLE)
    assert not manifest["exports"]["not_written"]
    assert manifest["backbone"]["name"] == manifest["versions"]["backbone"] == QUICKEST
    assert manifest["backbone"]["weights_sha256"] == manifest["versions"]["backbone_sha256"] == sha256_of_path(file)
    assert json.loads((folder / "metrics.json").read_text())["backbone"] == manifest["backbone"]


def test_fine_tuning_changes_kernels_and_leaves_batch_statistics_and_trunk(tmp_path: Path) -> None:
    published = random_application(QUICKEST, SIZE)
    backbone = find_backbone(QUICKEST, LocalWeights.at(publish_weights(QUICKEST, published, tmp_path / "weights")))
    classifier, random = build_classifier(backbone, SIZE, 2), np.random.default_rng(0)
    rows = np.arange(64)
    features = LabelledFeatures((random_view(classifier, len(rows), random),), rows % 2)
    options = ClassificationOptions(image_size=SIZE, epochs=1, batch_size=4)

    fit(classifier, features, rows, attempt_in(tmp_path / "project", options))

    names = ("block_12_expand", "block_12_expand_BN", "block_15_expand", "block_15_expand_BN")
    changed = {name for name in names if is_changed(published, classifier.model, name)}
    assert changed == {"block_15_expand"}


def is_changed(before: keras.Model, after: keras.Model, name: str) -> bool:
    pairs = zip(before.get_layer(name).get_weights(), after.get_layer(name).get_weights(), strict=True)
    return any(not np.array_equal(old, new) for old, new in pairs)


@pytest.mark.slow
def test_a_segmenter_is_trained_on_its_endpoints(tmp_path: Path) -> None:
    file = publish_weights(QUICKEST, random_application(QUICKEST, SIZE), tmp_path / "weights")
    make_segmentation_project(tmp_path / "project", 12, 1)
    options = SegmentationOptions(image_size=SIZE, epochs=1, backbone=QUICKEST, exports=("tflite",))
    job = Job(
        hex_id("t1"), 1, open_project(tmp_path / "project"), "segmentation", options, weights=LocalWeights.at(file)
    )

    folder = segmentation.train(Attempt(job, SilentReporter(), tmp_path / "cache", 2)).model_path.parent

    assert manifest_of(folder)["backbone"]["weights_sha256"] == sha256_of_path(file)
