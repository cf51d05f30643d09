"""Muon's step of a kernel: which way, how far, and what it leaves to Adam."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer_worker.backbones.backbone import STRIDES
from trainer_worker.optimization import muon as muon_module
from trainer_worker.optimization import training_copies
from trainer_worker.optimization.adam import Adam
from trainer_worker.optimization.muon import Muon, orthogonalized
from trainer_worker.segmentation import unet

KERNEL, BIAS = (3, 3, 4, 6), (6,)
RATE, RATE_OF_KERNELS = 5e-3, 20.0


@pytest.fixture
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rounding of machines that compute bfloat16."""
    monkeypatch.setattr(muon_module, "quick_policy", lambda: "float32")


def start() -> list[Any]:
    random = np.random.default_rng(0)
    return [tf.Variable(random.normal(size=shape).astype(np.float32)) for shape in (KERNEL, BIAS)]


def gradients(seed: int) -> list[Any]:
    random = np.random.default_rng(seed)
    return [tf.constant(random.normal(size=shape), tf.float32) for shape in (KERNEL, BIAS)]


def muon(weights: list[Any]) -> Muon:
    optimizer = Muon(weights, weights[:1], RATE_OF_KERNELS)
    optimizer.learning_rate.assign(RATE)
    return optimizer


@pytest.mark.parametrize(("policy", "rounding"), [("float32", 1e-3), ("mixed_bfloat16", 2e-2)])
@pytest.mark.parametrize("shape", [(3, 3, 4, 6), (1, 1, 4, 24), (1, 1, 8, 8)])
def test_a_step_has_the_gradient_s_directions_all_alike(
    shape: tuple[int, ...], policy: str, rounding: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(muon_module, "quick_policy", lambda: policy)
    rows, columns = math.prod(shape[:-1]), shape[-1]
    random = np.random.default_rng(1)
    left, _ = np.linalg.qr(random.normal(size=(rows, rows)))
    right, _ = np.linalg.qr(random.normal(size=(columns, columns)))
    values = np.linspace(1.0, 0.2, min(rows, columns))
    matrix = left[:, : len(values)] * values @ right[:, : len(values)].T
    found = orthogonalized(tf.constant(matrix.reshape(shape), tf.float32)).numpy().reshape(rows, columns)
    values_found = np.diag(left[:, : len(values)].T @ found @ right[:, : len(values)])
    assert values_found.min() > 0.6
    assert values_found.max() < 1.3
    # Nothing else is in it.
    np.testing.assert_allclose(np.linalg.norm(found), np.linalg.norm(values_found), rtol=rounding)


def test_a_kernel_keeps_its_norm_and_goes_down_the_gradient() -> None:
    weights = start()
    optimizer = muon(weights)
    before = np.asarray(weights[0])
    tf.function(optimizer.apply, autograph=False)(gradients(1))
    after = np.asarray(weights[0])
    assert np.linalg.norm(after) == pytest.approx(np.linalg.norm(before), rel=1e-5)
    assert np.sum((after - before) * gradients(1)[0].numpy()) < 0.0
    share = np.linalg.norm(after - before) / np.linalg.norm(before)
    assert RATE * RATE_OF_KERNELS / 2 < share < RATE * RATE_OF_KERNELS * 1.3


@pytest.mark.usefixtures("in_float32")
def test_the_norm_of_a_gradient_means_nothing() -> None:
    outcomes = []
    for factor in (1.0, 1e-3, 1e3):
        weights = start()
        apply = tf.function(muon(weights).apply, autograph=False)
        for seed in (1, 2):
            apply([factor * gradient for gradient in gradients(seed)])
        outcomes.append(np.asarray(weights[0]))
    np.testing.assert_allclose(outcomes[1], outcomes[0], atol=1e-4)
    np.testing.assert_allclose(outcomes[2], outcomes[0], atol=1e-4)


@pytest.mark.usefixtures("in_float32")
@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_a_step_is_a_share_of_the_kernel_whatever_its_norm(factor: float) -> None:
    outcomes = []
    for scale in (1.0, factor):
        weights = start()
        weights[0].assign(scale * weights[0])
        tf.function(muon(weights).apply, autograph=False)(gradients(1))
        outcomes.append(np.asarray(weights[0]) / scale)
    np.testing.assert_allclose(outcomes[1], outcomes[0], atol=1e-4)


def test_a_kernel_of_zeros_stays_as_it_is() -> None:
    weights = start()
    weights[0].assign(tf.zeros(KERNEL))
    muon(weights).apply(gradients(1))
    assert not np.asarray(weights[0]).any()


def test_the_other_weights_are_adam_s() -> None:
    weights, alone = start(), start()
    optimizer, adam = muon(weights), Adam(alone[1:])
    adam.learning_rate.assign(RATE)
    for seed in (1, 2):
        tf.function(optimizer.apply, autograph=False)(gradients(seed))
        tf.function(adam.apply, autograph=False)(gradients(seed)[1:])
    np.testing.assert_array_equal(np.asarray(weights[1]), np.asarray(alone[1]))


def test_a_kernel_that_is_no_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="none of the weights"):
        Muon(start(), start()[:1], RATE_OF_KERNELS)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_all_convolutions_of_a_decoder_but_the_last_are_its_kernels(
    policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_copies, "quick_policy", lambda: policy)
    copy = training_copies.copy_of_decoder(unet.build_decoder([(64 // stride, 64 // stride, 8) for stride in STRIDES]))
    kernels = unet.normalized_kernels(copy)
    expected = [weight for weight in copy.trainable_variables if len(weight.shape) == 4][:-1]
    assert [kernel.path for kernel in kernels] == [weight.path for weight in expected]
    weights, trained = ([weight.value for weight in some] for some in (copy.trainable_variables, kernels))
    assert len(Muon(weights, trained, RATE_OF_KERNELS).state) > len(kernels)


def test_its_state_goes_on_where_it_was() -> None:
    weights, copied = start(), start()
    first, second = muon(weights), muon(copied)
    first.apply(gradients(1))
    for weight, value in zip([*copied, *second.state], [*weights, *first.state], strict=True):
        weight.assign(value)
    for optimizer in (first, second):
        optimizer.apply(gradients(2))
    for one, other in zip(weights, copied, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    fresh = start()
    control = muon(fresh)
    for weight, value in zip(fresh, weights, strict=True):
        weight.assign(value)
    control.apply(gradients(2))
    first.apply(gradients(2))
    assert np.abs(np.asarray(fresh[0]) - np.asarray(weights[0])).max() > 1e-4


def test_nan_gets_into_the_weights() -> None:
    """The weights have to show it, so that the training sees that it is broken."""
    weights = start()
    muon(weights).apply([gradient * math.nan for gradient in gradients(1)])
    assert np.isnan(np.asarray(weights[0])).all()
