"""Our Adam against Keras's."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer_worker.optimization.adam import Adam

STEPS, RATE = 4, 0.05


def start() -> list[Any]:
    random = np.random.default_rng(0)
    return [tf.Variable(random.normal(size=shape).astype(np.float32)) for shape in ((3, 4), (4,))]


def gradients() -> list[list[Any]]:
    """The gradients of each step, for each weight."""
    random = np.random.default_rng(1)
    return [
        [tf.constant(random.normal(size=shape) * length, tf.float32) for shape in ((3, 4), (4,))]
        for length in (3.0, 2.0, 0.1, 0.1)
    ]


def by_keras(optimizer: Any) -> list[Any]:
    weights = [keras.Variable(weight.numpy()) for weight in start()]
    for step in gradients():
        optimizer.apply(step, weights)
    return [np.asarray(weight) for weight in weights]


def by_ours() -> list[Any]:
    weights = start()
    optimizer = Adam(weights)
    optimizer.learning_rate.assign(RATE)
    apply = tf.function(optimizer.apply, autograph=False)
    for step in gradients():
        apply(step)
    assert optimizer.state[0].numpy() == STEPS
    return [np.asarray(weight) for weight in weights]


def test_it_is_keras_s_adam() -> None:
    kerass, control = by_keras(keras.optimizers.Adam(RATE)), by_keras(keras.optimizers.Nadam(RATE))
    for ours, theirs, others in zip(by_ours(), kerass, control, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-6)
        assert np.abs(ours - others).max() > 1e-3


def test_its_state_goes_on_where_it_was() -> None:
    weights, copied = start(), start()
    first, second = Adam(weights), Adam(copied)
    for optimizer in (first, second):
        optimizer.learning_rate.assign(RATE)
    steps = gradients()
    first.apply(steps[0])
    for weight, value in zip([*copied, *second.state], [*weights, *first.state], strict=True):
        weight.assign(value)
    for optimizer in (first, second):
        optimizer.apply(steps[1])
    for one, other in zip(weights, copied, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
