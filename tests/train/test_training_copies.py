"""Training copies compute what the networks compute, in quicker arithmetic, and leave no trace in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from protocol.options import SegmentationOptions
from tests.project_folders import attempt_in, facts_of
from trainer_worker.attempt.job import Epoch, SilentReporter
from trainer_worker.optimization import training_copies
from trainer_worker.optimization.epochs import History
from trainer_worker.segmentation import unet
from trainer_worker.segmentation.skip_features import SkipFeatures
from trainer_worker.segmentation.unet_training import MaskedFeatures, fit_decoder
from trainer_worker.segmentation.views import MIRRORED, lies_within, views_of

SIZE = 64
SHAPES = [(32, 32, 16), (16, 16, 24), (8, 8, 40), (4, 4, 112), (2, 2, 320)]
#: bfloat16 has 8 significant bits, and each of the ten layers on the way rounds.
BFLOAT16_TOLERANCE = 0.05


def decoder_with_features() -> tuple[Any, list[Any]]:
    keras.utils.set_random_seed(3)
    random = np.random.default_rng(0)
    return unet.build_decoder(SHAPES), [random.gamma(1.0, 1.0, (4, *shape)).astype(np.float32) for shape in SHAPES]


def use_bfloat16(monkeypatch: pytest.MonkeyPatch, yes: bool) -> None:
    monkeypatch.setattr(training_copies, "computes_bfloat16", lambda: yes)


def moving(network: Any) -> list[Any]:
    return [np.asarray(x) for x in network.non_trainable_variables]


@pytest.mark.parametrize(("bfloat16", "tolerance"), [(False, 1e-4), (True, BFLOAT16_TOLERANCE)])
def test_a_training_copy_gives_what_keras_gives_in_training(
    monkeypatch: pytest.MonkeyPatch, bfloat16: bool, tolerance: float
) -> None:
    use_bfloat16(monkeypatch, bfloat16)
    decoder, inputs = decoder_with_features()
    copy = training_copies.copy_of_decoder(decoder)
    first = moving(copy)
    got = np.asarray(keras.ops.cast(copy(inputs, training=True), "float32"))
    expected = np.asarray(decoder(inputs, training=True))
    np.testing.assert_allclose(got, expected, atol=tolerance * np.abs(expected).max())
    # The control: with the moving averages instead of the batch's own, the decoder gives something else.
    assert np.abs(np.asarray(decoder(inputs, training=False)) - expected).max() > BFLOAT16_TOLERANCE
    for now, keras_now, before in zip(moving(copy), moving(decoder), first, strict=True):
        assert not np.array_equal(now, before)
        # The kernel's variance is that of the population, by n/(n-1) more than Keras's: here n is 16 at least.
        np.testing.assert_allclose(now, keras_now, rtol=1 / 15 + tolerance, atol=tolerance)


def test_the_copy_of_an_encoder_goes_by_moving_averages_and_takes_bare_operations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_bfloat16(monkeypatch, True)
    keras.utils.set_random_seed(3)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.BatchNormalization(name="bn")(keras.layers.Conv2D(4, 3)(inputs))
    network = keras.Model(inputs, keras.ops.relu6(x + 3.0) * x)
    network.get_layer("bn").moving_mean.assign([5.0, -5.0, 1.0, 0.0])
    pictures = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    got = training_copies.copy_of_encoder(network)(pictures, training=False)
    assert keras.backend.standardize_dtype(got.dtype) == "bfloat16"
    expected = np.asarray(network(pictures, training=False))
    near = BFLOAT16_TOLERANCE * np.abs(expected).max()
    np.testing.assert_allclose(np.asarray(keras.ops.cast(got, "float32")), expected, atol=near)
    by_batch = np.asarray(network(pictures, training=True))  # the control
    assert np.abs(by_batch - expected).max() > near


def test_weights_are_float32_whatever_the_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder, inputs = decoder_with_features()
    for yes, expected in ((True, "bfloat16"), (False, "float32")):
        use_bfloat16(monkeypatch, yes)
        copy = training_copies.copy_of_decoder(decoder)
        assert keras.backend.standardize_dtype(copy(inputs, training=True).dtype) == expected
        assert {variable.dtype for variable in copy.variables} == {"float32"}
        for own, given in zip(copy.get_weights(), decoder.get_weights(), strict=True):
            assert own.shape == given.shape


def test_the_copy_of_a_tail_learns_in_float32_and_leaves_the_tail_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    use_bfloat16(monkeypatch, True)
    keras.utils.set_random_seed(3)
    inputs = keras.Input((7, 7, 6))
    layer = keras.layers.DepthwiseConv2D(5, padding="same", activation="relu", bias_initializer="uniform")
    tail = keras.Model(inputs, layer(inputs))
    before = tail.get_weights()
    copy = training_copies.copy_of_tail(tail)
    random = np.random.default_rng(0)
    maps = tf.constant(random.normal(size=(3, 7, 7, 6)), tf.float32)
    weights = tf.constant(random.normal(size=(3, 7, 7, 6)), tf.float32)
    got, expected = (outputs_and_gradients(network, maps, weights) for network in (copy, tail))
    for own, keras_own in zip(got, expected, strict=True):
        np.testing.assert_allclose(own, keras_own, atol=1e-6)
        assert np.abs(keras_own).max() > 0.1
    copy.set_weights([weight + 1.0 for weight in before])
    for now, then in zip(tail.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize(("bfloat16", "tolerance"), [(False, 1e-5), (True, BFLOAT16_TOLERANCE)])
def test_the_convolutions_of_a_tail_s_copy_use_bfloat16_where_the_processor_does(
    bfloat16: bool, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_bfloat16(monkeypatch, bfloat16)
    keras.utils.set_random_seed(3)
    inputs = keras.Input((7, 7, 6))
    x = keras.layers.DepthwiseConv2D(5, padding="same")(keras.layers.Conv2D(16, 1, activation="relu")(inputs))
    tail = keras.Model(inputs, keras.layers.Dense(6)(keras.layers.Conv2D(8, 1)(x)))
    copy = training_copies.copy_of_tail(tail)
    quick = "bfloat16" if bfloat16 else "float32"
    assert [layer.compute_dtype for layer in copy.layers] == ["float32", quick, "float32", quick, "float32"]
    assert {variable.dtype for variable in copy.variables} == {"float32"}
    random = np.random.default_rng(0)
    maps, weights = (tf.constant(random.normal(size=(3, 7, 7, 6)), tf.float32) for _ in range(2))
    got, expected = (outputs_and_gradients(network, maps, weights) for network in (copy, tail))
    for own, keras_own in zip(got, expected, strict=True):
        assert own.dtype == np.float32
        difference = np.abs(own - keras_own).max() / np.abs(keras_own).max()
        assert difference < tolerance
    assert bool(np.abs(got[0] - expected[0]).max() > 1e-4) == bfloat16


def outputs_and_gradients(network: Any, maps: Any, weights: Any) -> list[Any]:
    """Outputs, and the gradients of their weighted sum by maps and by the network's own weights."""
    with tf.GradientTape() as tape:
        tape.watch(maps)
        outputs = network(maps, training=True)
        total = tf.reduce_sum(outputs * weights)
    return [np.asarray(x) for x in (outputs, *tape.gradient(total, [maps, *network.trainable_variables]))]


class CutError(Exception):
    """Stands for the end of the process."""


def fit(decoder: Any, folder: Path, stop_after: int = 0) -> History:
    """Three epochs on 8 random pictures of bright squares."""
    random = np.random.default_rng(1)
    masks = np.zeros((8, SIZE, SIZE), np.uint8)
    for mask, (top, left) in zip(masks, random.integers(0, 32, (8, 2)), strict=True):
        mask[top : top + 32, left : left + 32] = 1
    pictures = (random.integers(0, 80, (8, SIZE, SIZE, 3)) + 150 * masks[..., None]).astype(np.uint8)
    inputs = keras.Input((SIZE, SIZE, 3))
    maps = [
        keras.layers.Conv2D(shape[-1], stride, stride, name=f"encode_{stride}")(inputs / 255)
        for shape, stride in zip(SHAPES, (2, 4, 8, 16, 32), strict=True)
    ]

    skips = SkipFeatures(keras.Model(inputs, maps), pictures, 2**28)
    options = SegmentationOptions(epochs=3, batch_size=4, image_size=SIZE)
    attempt = attempt_in(folder, options, StoppingReporter(stop_after))
    return fit_decoder(decoder, MaskedFeatures(skips, masks, range(6), views_of(lies_within(MIRRORED))), attempt)


class StoppingReporter(SilentReporter):
    """Cuts the process off once so many epochs have left a checkpoint; 0 for never."""

    def __init__(self, stop_after: int) -> None:
        self._stop_after = stop_after

    def epoch(self, epoch: Epoch) -> None:
        if epoch.number == self._stop_after + 1 and self._stop_after:
            raise CutError


@pytest.mark.usefixtures("saved_each_epoch")
def test_a_checkpoint_can_be_used_by_a_machine_of_another_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_bfloat16(monkeypatch, True)
    decoder, _ = decoder_with_features()
    with pytest.raises(CutError):
        fit(decoder, tmp_path, stop_after=2)
    use_bfloat16(monkeypatch, False)
    decoder, _ = decoder_with_features()
    before = decoder.get_weights()
    (kept,) = tmp_path.glob(".tfmodel/tasks/*/checkpoints/decoder.checkpoint")
    epochs = [{"loss": epoch["loss"], "training_dice": epoch["score"]} for epoch in facts_of(kept)["epochs"]]
    assert len(epochs) == 2
    history = fit(decoder, tmp_path)
    assert history.epochs[:2] == epochs
    assert len(history.epochs) == 3
    assert all(np.isfinite(x).all() for x in decoder.get_weights())
    assert any(not np.array_equal(now, then) for now, then in zip(decoder.get_weights(), before, strict=True))


def test_decoder_stays_float32_and_of_keras_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_bfloat16(monkeypatch, True)
    decoder, inputs = decoder_with_features()
    fit(decoder, tmp_path)
    assert {layer.compute_dtype for layer in decoder.layers} == {"float32"}
    assert {type(layer).__module__.split(".")[0] for layer in decoder.layers} == {"keras"}
    decoder.save(tmp_path / "decoder.keras")
    loaded = keras.models.load_model(tmp_path / "decoder.keras")
    np.testing.assert_array_equal(np.asarray(loaded(inputs)), np.asarray(decoder(inputs)))
