"""Gives a trained model calibrated probabilities while it is exported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def at_temperature(logits: Sequence[Any], temperature: float) -> Iterator[None]:
    """Inside, the model's logits are divided by the temperature, and so are those of every file written from it.

    logits: the model's last layers with weights, which must be linear. A softmax or a sigmoid of their sum follows.
    Afterwards they have the weights again that they were trained to, from which a later training continues.
    """
    trained = [[np.array(weights) for weights in layer.get_weights()] for layer in logits]
    for layer, weights in zip(logits, trained, strict=True):
        layer.set_weights([array / np.float32(temperature) for array in weights])
    try:
        yield
    finally:
        for layer, weights in zip(logits, trained, strict=True):
            layer.set_weights(weights)
