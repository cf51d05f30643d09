"""One optimizer step that leaves nothing behind. For the trainer process only: imports TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def apply_gradients(optimizer: Any, gradients: Sequence[Any], variables: Sequence[Any]) -> None:
    """`optimizer.apply`, to be called inside a tf.function that is traced anew for each task.

    Keras sums gradients over replicas by an operation with a gradient of its own, which TensorFlow registers under a
    new name at each trace and never forgets, and with it the whole graph and the weights: 10 MB a task for the
    smallest ones. Where replicas have merged, as here, Keras leaves the sum out; there is only one replica anyway.
    """
    tf.distribute.get_replica_context().merge_call(lambda _: optimizer.apply(gradients, variables))
