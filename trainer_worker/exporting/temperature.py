"""Gives a trained model calibrated probabilities while it is exported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def at_temperature(logits: Any, temperature: float) -> Iterator[None]:
    """Inside, the model's logits are divided by the temperature, and so are those of every file written from it.

    logits: the model's last layer with weights, which must be linear; a softmax or a sigmoid follows it. Afterwards it
    has the weights again that it was trained to, from which a later training continues.
    """
    trained = [np.array(weights) for weights in logits.get_weights()]
    logits.set_weights([weights / np.float32(temperature) for weights in trained])
    try:
        yield
    finally:
        logits.set_weights(trained)
