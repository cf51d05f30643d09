"""A model gives calibrated probabilities while it is exported, and has its own weights afterwards."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from tests.train.random_views import random_view
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification.classifier import build_classifier, predict
from trainer_worker.exporting.temperature import at_temperature
from trainer_worker.scores.calibration import tempered
from trainer_worker.segmentation import unet

SIDE = 64


def test_a_classifier_and_the_files_written_from_it(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    classifier = build_classifier(LITE0, SIDE, 4)
    random = np.random.default_rng(0)
    trained = [random.normal(0, 0.05, weights.shape).astype(np.float32) for weights in classifier.get_weights()]
    classifier.set_weights(trained)
    pictures = random.integers(0, 255, (6, SIDE, SIDE, 3)).astype(np.float32)
    view = random_view(classifier, 6, random)
    before, of_view = np.asarray(classifier.model(pictures)), predict(classifier, view)

    with at_temperature(classifier.logits, 0.5):
        assert np.allclose(classifier.model(pictures), tempered(before, 0.5), atol=1e-5)
        assert np.allclose(predict(classifier, view), tempered(of_view, 0.5), atol=1e-5)
        classifier.model.save(tmp_path / "model.keras")

    assert all(np.array_equal(a, b) for a, b in zip(classifier.get_weights(), trained, strict=True))
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert np.allclose(loaded(pictures), tempered(before, 0.5), atol=1e-5)
    assert np.abs(np.asarray(loaded(pictures)) - before).max() > 0.01


@pytest.mark.parametrize("channels", [1, 3])
def test_a_segmenter(channels: int) -> None:
    keras.utils.set_random_seed(1)
    image = layers.Input((SIDE, SIDE, 3))
    maps = [layers.AveragePooling2D(stride, name=f"stride_{stride}")(image) for stride in (2, 4, 8, 16, 32)]
    encoder = keras.Model(image, maps)
    model = unet.compose(encoder, unet.build_decoder([tuple(x.shape[1:]) for x in maps], channels))
    pictures = np.random.default_rng(0).normal(0, 1, (2, SIDE, SIDE, 3)).astype(np.float32)
    before, weights = np.asarray(model(pictures)), model.get_weights()

    def export_and_fail() -> None:
        with at_temperature([unet.logits_of(model)], 2.0):
            assert np.allclose(model(pictures), tempered(before, 2.0), atol=1e-5)
            assert np.abs(np.asarray(model(pictures)) - before).max() > 0.01
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        export_and_fail()

    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), weights, strict=True))
