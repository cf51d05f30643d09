"""The views of a picture: a classifier trains on the picture itself and on one varied view.

The varied view is a random part of the picture, as in Inception's training (Szegedy et al. 2015), but at least half of
its area: a user's picture shows one object, and a smaller part might miss it (docs/choices.md, "The varied view"). It
is mirrored, except where a mirrored picture may show another class (docs/choices.md, "Mirrored pictures").
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trainer_worker.pictures.flattening import GreyScale
from trainer_worker.pictures.images import WHOLE, Box

#: The smallest share of the picture's area, and the logarithm of the largest stretch in either direction.
LEAST_AREA = 0.5
MOST_STRETCH = 0.2


class Variation(NamedTuple):
    """box: the part of the picture. mirrored: whether that part is then mirrored left to right."""

    box: Box
    mirrored: bool


PLAIN = Variation(WHOLE, mirrored=False)


@dataclass(frozen=True)
class PictureView:
    """One way to show every picture: the whole of it, or a part of it that is mirrored or not.

    name: in the cache of features. A view gets a new name when the code makes another variation of the same content.
    """

    name: str
    is_whole: bool = False
    is_mirrored: bool = False

    def of(self, content: str) -> Variation:
        """How this view shows a picture. It depends on the content's hash alone, so that features can be cached."""
        return PLAIN if self.is_whole else Variation(_random_part(content), self.is_mirrored)

    def name_in_cache(self, grey: GreyScale) -> str:
        """Features depend on the scale of grey values, too."""
        return self.name + grey.view


PLAIN_VIEW = PictureView("plain", is_whole=True)
MIRRORED_PART = PictureView("varied1", is_mirrored=True)
PART = PictureView("part1")
#: In the order in which a training may come to them.
VIEWS = (PLAIN_VIEW, MIRRORED_PART, PART)


def _random_part(content: str) -> Box:
    random = np.random.default_rng(list(hashlib.sha256(content.encode()).digest()))
    area, stretch = random.uniform(LEAST_AREA, 1.0), math.exp(random.uniform(-MOST_STRETCH, MOST_STRETCH))
    width, height = min(1.0, math.sqrt(area * stretch)), min(1.0, math.sqrt(area / stretch))
    left, top = random.uniform(0.0, 1.0 - width), random.uniform(0.0, 1.0 - height)
    return left, top, left + width, top + height
