"""Networks of an operator's own keep what trainings expect of a backbone. A wrong one is refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from protocol.errors import TrainingError
from tests.train import own_networks as own
from trainer_worker.attempt import local_weights
from trainer_worker.backbone_check import contract
from trainer_worker.backbone_check.contract import check_network
from trainer_worker.backbones import own_network
from trainer_worker.backbones.backbone import STRIDES
from trainer_worker.backbones.catalogue import find_backbone
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.backbones.own_folder import read_own_folder
from trainer_worker.classification import features
from trainer_worker.classification.features import ConversionError, FeatureExtractor
from trainer_worker.segmentation.unet import build_encoder

SIZE = own.SIZE
PICTURES = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)


@pytest.mark.parametrize("put", [own.put_cnn, own.put_vit, own.put_saved_model])
def test_a_right_network_keeps_the_whole_contract(
    put: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put(tmp_path / "tiny")
    monkeypatch.setattr(contract, "LITE0", own.load(folder))  # to time lite0 itself would take seconds
    outcomes = list(check_network(folder, [SIZE]))
    assert not [outcome.sentence for outcome in outcomes if not outcome.is_good]
    sentences = " ".join(outcome.sentence for outcome in outcomes)
    assert "by TFLite" in sentences
    assert "times as long as with lite0" in sentences
    assert ("its two parts give together" in sentences) == (put is not own.put_saved_model)


def test_lite0_as_a_keras_file_is_lite0(tmp_path: Path) -> None:
    backbone, pictures = own.load(own.put_lite0(tmp_path / "tiny")), PICTURES.astype(np.float32)
    network, expected = backbone.build(SIZE), LITE0.build(SIZE)
    np.testing.assert_allclose(network(pictures, training=False), expected(pictures, training=False), atol=1e-4)
    assert backbone.trunk_end is not None
    tail, of_lite0 = (
        keras.Model(each.get_layer(end).output, each.output)
        for each, end in ((network, backbone.trunk_end), (expected, LITE0.trunk_end))
    )
    assert [weight.shape for weight in tail.trainable_weights] == [
        weight.shape for weight in of_lite0.trainable_weights
    ]


def test_features_are_those_of_the_network_with_its_preprocessing(tmp_path: Path) -> None:
    """The vision transformer takes BGR, and gives its first token."""
    backbone = own.load(own.put_vit(tmp_path / "tiny"))
    found = np.asarray(backbone.build(SIZE)(PICTURES.astype(np.float32), training=False))
    prepared = (PICTURES[..., ::-1] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    expected = own.vit()(prepared, training=False).numpy()
    np.testing.assert_allclose(found[:, 0, 0], expected[:, 0], atol=1e-4)
    assert np.abs(found[:, 0, 0] - expected.mean(axis=1)).max() > 0.01  # else anything would pass
    assert np.ptp(expected, axis=0).max() > 0.01


def test_a_change_of_any_file_is_another_backbone(tmp_path: Path) -> None:
    folder = own.put_cnn(tmp_path / "tiny")
    before = own.load(folder)
    assert own.load(folder) == before
    settings = (folder / "backbone.toml").read_text()
    (folder / "backbone.toml").write_text(f"{settings}cost = 2\n")
    assert own.load(folder) != before
    (folder / "backbone.toml").write_text(settings)
    own.cnn().save(folder / "network.keras")  # a later time in the archive
    assert own.load(folder).weights_sha256 != before.weights_sha256
    with pytest.raises(TrainingError, match=r"tiny has changed since the task began"):
        before.build(SIZE)  # the features of this task may be those of the other network


def test_a_network_that_is_exchanged_when_the_task_has_begun_is_not_trained_on(tmp_path: Path) -> None:
    """The task's fingerprint has the first hash, so its features must not be those of the other network."""
    folder = own.put(tmp_path / "tiny", own.WORDS, small())
    weights = local_weights.LocalWeights.at(folder)
    small(layers.ReLU()).save(folder / "network.keras")
    backbone = find_backbone("own:tiny", weights)
    assert backbone.weights_sha256 == weights.sha256
    with pytest.raises(TrainingError, match="has changed since the task began") as caught:
        backbone.build(SIZE)
    assert caught.value.code == "unsupported_option"


def test_a_unet_is_built_on_the_endpoints(tmp_path: Path) -> None:
    encoder = build_encoder(own.load(own.put_cnn(tmp_path / "tiny")), SIZE)
    assert [x.shape[1] for x in encoder.outputs] == [SIZE // stride for stride in STRIDES]


def module(
    folder: Path, settings: str, compute: Callable[[Any], Any], shape: tuple[int, int, int] = (SIZE, SIZE, 3)
) -> Path:
    """A SavedModel of a TensorFlow function."""
    network = tf.Module()
    spec = tf.TensorSpec((None, *shape), tf.float32, name="picture")
    network.compute = tf.function(lambda picture: {"features": compute(picture)}, [spec], autograph=False)
    path = own.put(folder, own.WORDS + settings)
    tf.saved_model.save(network, str(path / "saved_model"), signatures=network.compute)
    return path


def blocks(picture: Any) -> Any:
    return tf.reshape(tf.nn.avg_pool2d(picture, 16, 16, "VALID"), (-1, (SIZE // 16) ** 2 * 3))


def test_a_network_that_takes_channels_first_gets_them_so(tmp_path: Path) -> None:
    settings, shape = "data_format = 'channels_first'\n", (3, SIZE, SIZE)
    turned = module(tmp_path / "turned", settings, lambda x: blocks(tf.transpose(x, (0, 2, 3, 1))), shape)
    found = own.load(turned).build(SIZE)(PICTURES.astype(np.float32))
    np.testing.assert_allclose(found[:, 0, 0], blocks(PICTURES.astype(np.float32)), rtol=1e-5)


def test_a_network_that_takes_channels_first_gives_its_map_so(tmp_path: Path) -> None:
    """Its maps are (n, features, height, width), as those of networks from PyTorch."""
    settings, shape = "data_format = 'channels_first'\n", (3, SIZE, SIZE)

    def halved(x: Any) -> Any:
        return tf.nn.avg_pool2d(tf.transpose(x, (0, 2, 3, 1)), 2, 2, "VALID")

    folder = module(tmp_path / "turned", settings, lambda x: tf.transpose(halved(x), (0, 3, 1, 2)), shape)
    found = own.load(folder).build(SIZE)(PICTURES.astype(np.float32))
    expected = halved(PICTURES.transpose(0, 3, 1, 2).astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_settings_that_change_while_they_are_read_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = own.put(tmp_path / "tiny", own.WORDS, small())

    def change(path: Path) -> Any:
        (path / "backbone.toml").write_text(f"{own.WORDS}scale = 2\n")
        return read_own_folder(path)

    monkeypatch.setattr(own_network, "read_own_folder", change)
    with pytest.raises(TrainingError, match="has changed since the task began"):
        own.load(folder).build(SIZE)


def test_a_folder_that_cannot_be_read_fails_the_task_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, on_chunk: object) -> str:
        raise PermissionError(f"Permission denied: {path}")

    monkeypatch.setattr(local_weights, "sha256_of_path", refuse)
    with pytest.raises(
        TrainingError, match=r"tiny can't be read: Permission denied.*the right to read it and all that lies in it"
    ):
        own.load(own.put(tmp_path / "tiny", own.WORDS, small()))


def constant(folder: Path) -> Path:
    return own.put(folder, f"{own.WORDS}input_px = {SIZE}\n", own.vit(constant_positions=True))


@pytest.mark.parametrize(
    ("put", "words"),
    [
        (lambda folder: module(folder, "", lambda x: blocks(x) + tf.random.uniform((1,))), "take out what is random"),
        (lambda folder: module(folder, "", lambda x: blocks(x) - tf.reduce_mean(x)), "the other pictures of a batch"),
        (lambda folder: module(folder, "", lambda x: 0 * blocks(x)), "all pictures give the same features"),
        (constant, "as a Keras file at most"),
    ],
    ids=["random", "of the batch", "without features", "with numbers beside the graph"],
)
def test_the_check_finds_what_is_wrong(put: Callable[[Path], Path], words: str, tmp_path: Path) -> None:
    outcomes = check_network(put(tmp_path / "tiny"), [SIZE], timed=False)
    assert [outcome for outcome in outcomes if words in outcome.sentence and not outcome.is_good]


def test_a_right_module_is_the_control(tmp_path: Path) -> None:
    assert all(finding.is_good for finding in check_network(module(tmp_path / "tiny", "", blocks), [SIZE], timed=False))


def small(*more: Any, start: Any = None) -> keras.Model:
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(8, 3, 2, padding="same", name="first")(image)
    left, right = layers.Conv2D(8, 3, padding="same", name="left")(x), layers.Conv2D(8, 1, name="right")(x)
    x = layers.Add(name="sum")([left, right])
    for layer in more:
        x = layer(x)
    return keras.Model(image, x)


def broken() -> keras.Model:
    network = small()
    network.get_layer("first").set_weights([np.full((3, 3, 3, 8), np.nan), np.zeros(8)])
    return network


def twice() -> keras.Model:
    """One layer has two places."""
    again, last = layers.Conv2D(8, 1, name="again"), layers.Conv2D(8, 1)
    return small(again, layers.ReLU(name="between"), again, last)


def pair() -> keras.Model:
    """A layer gives two outputs: all states of a recurrent network, and the last one."""
    image = keras.Input((SIZE, SIZE, 3))
    states, _ = layers.GRU(4, return_sequences=True, return_state=True, name="pair")(
        layers.Reshape((SIZE, 3 * SIZE))(image)
    )
    return keras.Model(image, states)


def in_parts(rank: int) -> keras.Model:
    """Its maps are parted, as in transformers with windows."""
    image = keras.Input((SIZE, SIZE, 3))
    parts = layers.Reshape((2,) * (rank - 4) + (SIZE // 2, SIZE, 3), name="parts")(image)
    return keras.Model(image, layers.Dense(4)(layers.Reshape((SIZE, SIZE, 3))(parts)))


def high() -> keras.Model:
    """What one of its layers gives is far too large, and the last layer makes it small again."""
    network = small(layers.Rescaling(1e9, name="high"), layers.Conv2D(4, 1, name="last"))
    network.get_layer("last").set_weights([np.full((1, 1, 8, 4), 1e-9), np.zeros(4)])
    return network


@keras.saving.register_keras_serializable("of_a_stranger")
class Strange(layers.Layer):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        return inputs


@pytest.mark.parametrize(
    ("settings", "network", "words"),
    [
        ("", lambda: small(layers.Lambda(lambda x: x)), "network.keras can't be loaded.*Lambda"),
        ("", broken, "network.keras gives features up to nan"),
        ("scale = 1e30\n", small, "network.keras gives features up to"),
        ("input_px = 224\n", small, "input_px = '224' is not allowed: the imageSize of this task is 64"),
        ("", lambda: own.vit(96), "takes pictures of the shape .*96, 96, 3"),
        ("data_format = 'channels_first'\n", small, "takes pictures of the shape"),
        ("output = 'nothing'\n", small, "output = 'nothing'.*no layer nothing; its last ones are.*sum"),
        ("trunk_end = 'nothing'\n", small, "trunk_end = 'nothing'.*no layer nothing; its last ones are.*sum"),
        ("trunk_end = 'left'\n", small, "trunk_end = 'left'.*does not part the network"),
        ("trunk_end = 'sum'\n", lambda: small(layers.ReLU()), "trunk_end = 'sum'.*nothing that learns follows"),
        (
            "trunk_end = 'first'\n",
            lambda: small(keras.Sequential([keras.Input((None, None, 8)), layers.Conv2D(8, 1)], name="inner")),
            "trunk_end = 'first'.*a network in the network .own_inner.",
        ),
        (f"endpoints = {['first', 'sum', 'sum', 'sum', 'sum']}\n", small, "endpoints = .*sum gives .*instead of"),
        ("", lambda: small(layers.Reshape((-1, 8, 1, 1))), "gives an output of the shape"),
        ("", lambda: small(layers.Activation("linear", dtype="float16")), "gives float16"),
        ("", lambda: small(layers.Dense(16_385)), "gives 16,385 features of a picture; allowed are 16,384"),
        ("trunk_end = 'again'\n", twice, "trunk_end = 'again'.*does not part the network"),
        ("trunk_end = 'between'\n", twice, "trunk_end = 'between'.*share their weights"),
        ("output = 'pair'\n", pair, "output = 'pair'.*this layer gives 2 outputs"),
        ("trunk_end = 'parts'\n", lambda: in_parts(5), "trunk_end = 'parts'.*gives .*name a layer that gives maps"),
        ("trunk_end = 'high'\n", high, "gives features up to .* behind high; allowed are finite numbers"),
    ],
)
def test_a_wrong_network_is_refused_with_file_key_and_cure(
    settings: str, network: Callable[[], Any], words: str, tmp_path: Path
) -> None:
    folder = own.put(tmp_path / "tiny", own.WORDS + settings, network())
    with pytest.raises(TrainingError, match=f"(?s){words}") as caught:
        own.load(folder).build(SIZE)
    assert caught.value.code == "unsupported_option"
    assert str(folder) in caught.value.error


def test_a_layer_of_a_class_that_keras_does_not_have_is_refused(tmp_path: Path) -> None:
    folder = own.put(tmp_path / "tiny", own.WORDS, small(Strange()))
    own.load(folder).build(SIZE)  # the control: here the class is registered
    registered = keras.saving.get_custom_objects()
    name = next(name for name in registered if name.startswith("of_a_stranger"))
    kept = registered.pop(name)
    try:
        with pytest.raises(
            TrainingError, match=r"(?s)network.keras can't be loaded.*without Lambda layers and layers of other"
        ):
            own.load(folder).build(SIZE)
    finally:
        registered[name] = kept


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("output = 'nothing'\n", "output = 'nothing'.*gives features; name one of them"),
        ("signature = 'nothing'\n", "signature = 'nothing'.*has serving_default"),
        ("data_format = 'channels_first'\n", r"takes an input of the shape \[None, 64, 64, 3\]"),
    ],
)
def test_a_wrong_word_about_a_saved_model_is_answered_with_what_it_has(
    settings: str, words: str, tmp_path: Path
) -> None:
    folder = module(tmp_path / "tiny [1]", settings, blocks)
    with pytest.raises(TrainingError, match=words):
        own.load(folder).build(SIZE)
    (folder / "backbone.toml").write_text(own.WORDS)
    assert own.load(folder).build(SIZE).output_shape == (None, 1, 1, 48)
    (folder / "saved_model" / "saved_model.pb").write_bytes(b"no graph")
    with pytest.raises(TrainingError, match="saved_model can't be loaded"):
        own.load(folder).build(SIZE)


def test_what_tflite_cannot_run_tensorflow_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = module(tmp_path / "tiny", "", lambda x: tf.math.digamma(1 + blocks(x)))
    backbone = own.load(folder)
    extractor = FeatureExtractor(backbone, SIZE, 1, tmp_path / "cache")
    assert (extractor.device, "_cpu_tensorflow_" in extractor.engine) == ("cpu_tensorflow", True)
    found = np.stack([each.pooled for each in extractor.of_pictures(PICTURES)])
    expected = tf.math.digamma(1 + blocks(PICTURES.astype(np.float32))).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert extractor.shapes[:2] == ((48,), (48,))

    def refuse(backbone: Any, image_size: int) -> bytes:
        raise ConversionError("TFLite can't run the backbone")

    monkeypatch.setattr(features, "_convert", refuse)
    with pytest.raises(ConversionError):  # with a network of ours that would be a fault
        FeatureExtractor(LITE0, SIZE, 1, tmp_path / "other")
