"""The pretrained weights arrive whole: two known pictures get their known ImageNet classes."""

import numpy as np
import pytest
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_image

from trainer_worker.backbones import efficientnet_lite

PALACE, DAISY = 698, 985


def _photo(name: str, size: int) -> np.ndarray:
    """The middle square of a sample photo, as ImageNet networks are scored: float32 (1, size, size, 3)."""
    picture = ImageOps.fit(Image.fromarray(load_sample_image(name)), (size, size), Image.Resampling.BICUBIC)
    return np.asarray(picture, np.float32)[None]


@pytest.mark.parametrize(("name", "label"), [("china.jpg", PALACE), ("flower.jpg", DAISY)])
def test_the_pretrained_network_names_known_pictures(name: str, label: int) -> None:
    probabilities = efficientnet_lite.build_imagenet_classifier().predict(_photo(name, 224), verbose=0)[0]

    assert probabilities.argmax() == label
    assert probabilities[label] > 0.2  # 200 times chance


def test_without_its_preprocessing_the_picture_is_not_recognised() -> None:
    """The control of the test above: input in another range than 0 to 255 must not pass for a palace."""
    model = efficientnet_lite.build_imagenet_classifier()

    assert model.predict(_photo("china.jpg", 224) / 255, verbose=0)[0, PALACE] < 0.1


@pytest.mark.parametrize("image_size", [64, 160])
def test_endpoints_hold_one_feature_map_a_stride(image_size: int) -> None:
    model = efficientnet_lite.build(image_size)

    assert model.output_shape == (None, image_size // 32, image_size // 32, efficientnet_lite.FEATURES)
    for stride, name in efficientnet_lite.ENDPOINTS.items():
        assert model.get_layer(name).output.shape[1:3] == (image_size // stride, image_size // stride)


def test_layer_names_survive_an_export() -> None:
    assert not [layer.name for layer in efficientnet_lite.build(64).layers if layer.name.startswith("_")]


def test_a_changed_weights_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite, "WEIGHTS_SHA256", "0" * 64)
    efficientnet_lite._weights.cache_clear()

    with pytest.raises(RuntimeError, match=r"requirements\.txt pins"):
        efficientnet_lite.build(64)
    efficientnet_lite._weights.cache_clear()
