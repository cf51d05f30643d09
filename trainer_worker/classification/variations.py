"""The view of a picture that a classifier is trained on beside the picture itself.

A mirrored random part of it, as in Inception's training (Szegedy et al. 2015), but from half of the picture on: a
user's pictures show one thing each, and small parts may miss it. In a throwaway trial on flowers5 (four splits, trained
without inner validation) 72 of 880 were named wrong with it, and 79 with the mirrored whole.
"""

from __future__ import annotations

import hashlib
import math
from typing import NamedTuple

import numpy as np

from trainer_worker.pictures.images import WHOLE, Box

#: The part's share of the picture's area, and the logarithm of how much it may be stretched either way.
LEAST_AREA = 0.5
MOST_STRETCH = 0.2


class Variation(NamedTuple):
    """box: the part of the picture. mirrored: left to right, after that."""

    box: Box
    mirrored: bool


PLAIN = Variation(WHOLE, mirrored=False)


def variation_of(content: str) -> Variation:
    """The varied view of the picture with that content hash: always the same, so that its features can be kept."""
    random = np.random.default_rng(list(hashlib.sha256(content.encode()).digest()))
    area, stretch = random.uniform(LEAST_AREA, 1.0), math.exp(random.uniform(-MOST_STRETCH, MOST_STRETCH))
    width, height = min(1.0, math.sqrt(area * stretch)), min(1.0, math.sqrt(area / stretch))
    left, top = random.uniform(0.0, 1.0 - width), random.uniform(0.0, 1.0 - height)
    return Variation((left, top, left + width, top + height), mirrored=True)
