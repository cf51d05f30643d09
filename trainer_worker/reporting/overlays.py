"""Masks over their pictures: truth, prediction, and where the two differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainer_worker.pictures.small_jpegs import shown_size
from trainer_worker.reporting.picture_book import SIDE_PX

#: A report shows this many pictures with their masks.
MOST_OVERLAYS = 6
#: Pixels of the truth that have no label, see segmentation/classes.py.
UNLABELLED = 255
#: Colours that people with any kind of colour vision can tell apart (Okabe and Ito, 2008), for classes from 1 on.
PALETTE = (
    *((0, 158, 115), (230, 159, 0), (86, 180, 233)),
    *((204, 121, 167), (240, 228, 66), (150, 150, 150)),
)
#: Each further round of the palette is this much darker, so that no two classes have the same colour.
DARKER = 0.85
MISSED, EXTRA = (213, 94, 0), (0, 114, 178)
#: How much of a coloured pixel is colour; the rest is the photo.
TINT = 0.6

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Overlay:
    """One held-out picture with its masks, at the size of the page.

    file: as the project names it. score: of this picture, 0 to 1. picture: uint8 (h, w, 3). truth, predicted: class
    numbers uint8 (h, w), 0 is background; the truth may hold UNLABELLED.
    """

    file: str
    score: float
    picture: Pixels
    truth: Pixels
    predicted: Pixels

    def scaled(self, size: tuple[int, int]) -> Overlay:
        """This overlay at the size of the page. size: (height, width) of the file, whose shape all arrays get."""
        width_and_height = shown_size(*size, SIDE_PX)[::-1]
        picture = Image.fromarray(self.picture).resize(width_and_height, Image.Resampling.BILINEAR)
        masks = [Image.fromarray(mask).resize(width_and_height, Image.Resampling.NEAREST) for mask in self.masks]
        return Overlay(self.file, self.score, np.asarray(picture), *map(np.asarray, masks))

    @property
    def masks(self) -> tuple[Pixels, Pixels]:
        return self.truth, self.predicted

    def with_truth(self) -> Pixels:
        return _with_classes(self.picture, self.truth)

    def with_prediction(self) -> Pixels:
        return _with_classes(self.picture, self.predicted)

    def difference(self) -> Pixels:
        """The photo in grey, with the pixels that the model missed and those that it added.

        A pixel of one class that was given to another counts as missed. Unlabelled pixels don't count.
        """
        grey = np.asarray(Image.fromarray(self.picture).convert("L").convert("RGB")) // 2 + 96
        missed, extra = self.wrong()
        return _tinted(_tinted(grey.astype(np.uint8), missed, MISSED, 0.85), extra, EXTRA, 0.85)

    def wrong(self) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Where a class was missed, and where background was given a class; bool (h, w) each."""
        wrong = (self.truth != self.predicted) & (self.truth != UNLABELLED)
        return wrong & (self.truth > 0), wrong & (self.truth == 0)


def colour_of(number: int) -> tuple[int, int, int]:
    """The colour of a class from 1 on. Classes up to MAX_CLASSES have different ones."""
    turn, place = divmod(number - 1, len(PALETTE))
    red, green, blue = (round(channel * DARKER**turn) for channel in PALETTE[place])
    return red, green, blue


def css(colour: tuple[int, int, int]) -> str:
    return f"rgb({colour[0]} {colour[1]} {colour[2]})"


def pick(scores: Sequence[float]) -> list[int]:
    """The positions of the pictures to show: the worst ones, worst first, then those in the middle of all."""
    order = sorted(range(len(scores)), key=lambda position: (scores[position], position))
    if len(order) <= MOST_OVERLAYS:
        return order
    worst = order[: MOST_OVERLAYS - MOST_OVERLAYS // 3]
    middle = len(order) // 2
    typical = [position for position in order[middle - 1 : middle + 1] if position not in worst]
    return [*worst, *typical]


def _with_classes(picture: Pixels, mask: Pixels) -> Pixels:
    for number in np.unique(mask):
        if 0 < number != UNLABELLED:
            picture = _tinted(picture, mask == number, colour_of(int(number)), TINT)
    return picture


def _tinted(picture: Pixels, where: npt.NDArray[np.bool_], colour: tuple[int, int, int], tint: float) -> Pixels:
    tinted = picture.copy()
    tinted[where] = (picture[where] * (1 - tint) + np.array(colour) * tint).astype(np.uint8)
    return tinted
