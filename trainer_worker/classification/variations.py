"""The varied view of a picture, which a classifier trains on besides the picture itself.

It is a mirrored random part of the picture, as in Inception's training (Szegedy et al. 2015), but at least half of its
area: a user's picture shows one object, and a smaller part might miss it (docs/choices.md, "The varied view").
"""

from __future__ import annotations

import hashlib
import math
from typing import NamedTuple

import numpy as np

from trainer_worker.pictures.images import WHOLE, Box

#: The smallest share of the picture's area, and the logarithm of the largest stretch in either direction.
LEAST_AREA = 0.5
MOST_STRETCH = 0.2


class Variation(NamedTuple):
    """box: the part of the picture. mirrored: whether that part is then mirrored left to right."""

    box: Box
    mirrored: bool


PLAIN = Variation(WHOLE, mirrored=False)


def variation_of(content: str) -> Variation:
    """The varied view of a picture. The same content hash gives the same view, so its features can be cached."""
    random = np.random.default_rng(list(hashlib.sha256(content.encode()).digest()))
    area, stretch = random.uniform(LEAST_AREA, 1.0), math.exp(random.uniform(-MOST_STRETCH, MOST_STRETCH))
    width, height = min(1.0, math.sqrt(area * stretch)), min(1.0, math.sqrt(area / stretch))
    left, top = random.uniform(0.0, 1.0 - width), random.uniform(0.0, 1.0 - height)
    return Variation((left, top, left + width, top + height), mirrored=True)
