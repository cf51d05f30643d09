"""The views of a square picture that a segmenter trains on: the ways to lay it, each in several lights.

A view is a number that is divided by LIES: the remainder says how the picture lies, and the quotient says in which
light it is. Light 0 is the picture's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

#: How a picture lies is a sum of these: mirrored left to right, then upside down, then with its axes swapped.
MIRRORED, UPSIDE_DOWN, SWAPPED = 1, 2, 4
LIES = 8
#: At most so many views of each picture are encoded and kept, in at most so many lights.
MOST_VIEWS, MOST_LIGHTS = 8, 4
#: How far another light may be from the picture's own: the share by which each colour is stronger or weaker, the share
#: by which contrast is, and the brightness that is added, in parts of white.
TINT, CONTRAST, BRIGHTNESS = 0.15, 0.3, 0.15
#: Lights above this number have no tint. They are for sets of grey pictures, since their apps see no colour.
UNTINTED = MOST_LIGHTS


def laid(pixels: Any, view: int) -> Any:
    """A picture or mask (h, w, ...) with h = w, as it lies in that view. The shape stays the same."""
    if view & SWAPPED:
        pixels = pixels.swapaxes(0, 1)
    if view & MIRRORED:
        pixels = pixels[:, ::-1]
    if view & UPSIDE_DOWN:
        pixels = pixels[::-1]
    return pixels


def picture_in(view: int, picture: Any, row: int) -> Any:
    """The picture uint8 (h, w, 3), h = w, in that view. row: its number, which gives each picture lights of its own."""
    lying = laid(picture, view)
    if view < LIES:
        return lying
    random = np.random.default_rng((row, view))
    most_tint = 0.0 if view // LIES > UNTINTED else TINT
    tint = random.uniform(1 - most_tint, 1 + most_tint, 3).astype(np.float32)
    contrast = np.float32(random.uniform(1 - CONTRAST, 1 + CONTRAST))
    pixels = lying * tint
    middle = pixels.mean()
    added = 255 * random.uniform(-BRIGHTNESS, BRIGHTNESS)
    return np.clip((pixels - middle) * contrast + (middle + added), 0, 255).astype(np.uint8)


def lies_within(changes: int) -> tuple[int, ...]:
    """All ways to lay a picture with these changes alone. changes: a sum of MIRRORED, UPSIDE_DOWN and SWAPPED."""
    return tuple(lie for lie in range(LIES) if not lie & ~changes)


def have_lights(lies: Sequence[int]) -> bool:
    """Whether MOST_VIEWS leaves room for more than one light."""
    return MOST_VIEWS // len(lies) > 1


def views_of(lies: Sequence[int], is_grey: bool = False) -> tuple[int, ...]:
    """These lies, each in as many lights as MOST_VIEWS leaves room for. is_grey: whether lights must not tint."""
    others = range(1, min(MOST_LIGHTS, MOST_VIEWS // len(lies)))
    lights = (0, *(light + UNTINTED * is_grey for light in others))
    return tuple(lie + LIES * light for light in lights for lie in lies)
