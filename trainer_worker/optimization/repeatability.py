"""Makes a training repeatable: the same seed and the same pictures give the same model."""

from __future__ import annotations

import keras
import tensorflow as tf


def make_repeatable(seed: int) -> None:
    """Set all random generators, and let TensorFlow choose deterministic kernels. Call it before a network is built."""
    keras.utils.clear_session()  # the names of layers go into the model's file
    keras.utils.set_random_seed(seed)
    if not tf.config.list_physical_devices("GPU"):  # costs nothing on a CPU, and some GPU kernels refuse it
        tf.config.experimental.enable_op_determinism()
