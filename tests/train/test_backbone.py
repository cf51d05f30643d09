"""The pretrained weights arrive whole: two known pictures get their known ImageNet classes from each network."""

import dataclasses

import numpy as np
import pytest
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_image

from trainer_worker.backbones import efficientnet_lite
from trainer_worker.backbones.backbone import STRIDES, Backbone
from trainer_worker.backbones.catalogue import BUNDLED
from trainer_worker.backbones.efficientnet_lite import NETWORKS, Network

PALACE, DAISY, HONEYCOMB = 698, 985, 599
#: flower.jpg shows a dahlia, which ImageNet does not know: to two networks it is a daisy, to Lite2 the honeycomb of its
#: petals (0.80). Of 150 photos of daisies (TensorFlow's flower_photos) Lite0 named 121 so, Lite1 120 and Lite2 121.
FLOWER = {"efficientnet_lite0": DAISY, "efficientnet_lite1": DAISY, "efficientnet_lite2": HONEYCOMB}

each_network = pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
each_backbone = pytest.mark.parametrize("backbone", BUNDLED.values(), ids=lambda backbone: backbone.name)


def _photo(name: str, size: int) -> np.ndarray:
    """The middle square of a sample photo, as ImageNet networks are scored: float32 (1, size, size, 3)."""
    picture = ImageOps.fit(Image.fromarray(load_sample_image(name)), (size, size), Image.Resampling.BICUBIC)
    return np.asarray(picture, np.float32)[None]


@each_network
def test_the_pretrained_network_names_known_pictures_and_only_with_its_preprocessing(network: Network) -> None:
    model = efficientnet_lite.build_imagenet_classifier(network)
    palace = _photo("china.jpg", 224)

    probabilities = model.predict(palace, verbose=0)[0]
    assert probabilities.argmax() == PALACE
    assert probabilities[PALACE] > 0.2  # 200 times chance
    assert model.predict(_photo("flower.jpg", 224), verbose=0)[0].argmax() == FLOWER[network.name]
    # The control: input in another range than 0 to 255 must not pass for a palace.
    assert model.predict(palace / 255, verbose=0)[0, PALACE] < 0.1


@pytest.mark.parametrize("image_size", [64, 160])
@each_backbone
def test_a_backbone_is_cut_where_its_fields_say(backbone: Backbone, image_size: int) -> None:
    model, side = backbone.build(image_size), image_size // 32

    assert model.output_shape == (None, side, side, 1280)
    assert model.get_layer(backbone.trunk_end).output.shape[:3] == (None, side, side)
    sides = [model.get_layer(name).output.shape[1:3] for name in backbone.endpoints]
    assert sides == [(image_size // stride, image_size // stride) for stride in STRIDES]


@each_backbone
def test_every_cut_takes_the_last_map_of_its_size(backbone: Backbone) -> None:
    """A skip connection that left out blocks would still work, but less well."""
    model = backbone.build(64)
    names = [layer.name for layer in model.layers]
    blocks = [name for name in names if name.endswith(("_add", "_project"))]
    last = {model.get_layer(name).output.shape[1]: name for name in blocks}

    assert [last[64 // stride] for stride in STRIDES] == list(backbone.endpoints)


def test_layer_names_survive_an_export() -> None:
    for backbone in BUNDLED.values():
        assert not [layer.name for layer in backbone.build(64).layers if layer.name.startswith("_")]


@each_network
def test_a_changed_weights_file_is_refused(network: Network) -> None:
    with pytest.raises(RuntimeError, match=r"requirements\.txt pins"):
        efficientnet_lite.build(dataclasses.replace(network, sha256="0" * 64), 64)


def test_a_missing_package_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"no_such_package.*requirements\.txt"):
        efficientnet_lite.build(dataclasses.replace(NETWORKS[0], package="no_such_package"), 64)
