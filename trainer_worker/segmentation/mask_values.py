"""What a mask's file holds before anybody decides what it means: its values, how many pixels each has, and where.

A value is a number: a grey value, a palette index, or a colour packed as 0xRRGGBB (see Reading). numpy only.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: The code of a pixel that is fully transparent, whatever its colour.
TRANSPARENT = -1
#: The values of one mask that are kept, the most frequent first. More than MAX_CLASSES, so that no class is lost.
MOST_KEPT = 80
#: Colours that differ by less than this in each channel look the same.
VISIBLE_DIFFERENCE = 32

Colour = tuple[int, int, int]


class Reading(enum.Enum):
    """Which number stands for a pixel."""

    NUMBERS = "numbers"  # the grey value, or the palette index
    COLOURS = "colours"  # the packed colour, also of grey and palette pictures
    ALPHA = "alpha"  # the opacity


class Coding(enum.Enum):
    """How a file stores its values. GREY includes colour files in which every pixel is grey."""

    GREY = "grey"
    PALETTE = "palette"
    COLOUR = "colour"


@dataclass(frozen=True)
class Histogram:
    """Values, float64 (k,), and for each of them int64 (k,):

    counts: its pixels. inside: those in a block of 2 x 2 equal pixels. sampled: its pixels on a coarse grid, and
    touching: those of them that have two other values nearby, as a rim between two areas has. Without several values
    nothing is inside, sampled or touching.
    """

    values: Any
    counts: Any
    inside: Any
    sampled: Any
    touching: Any

    @classmethod
    def of_counts(cls, values: Any, counts: Any) -> Histogram:
        zeros = np.zeros(len(values), np.int64)
        return cls(np.asarray(values, np.float64), np.asarray(counts, np.int64), zeros, zeros, zeros)

    def renamed(self, names: Any) -> Histogram:
        """The histogram after each value has become names[i]; equal names are put together."""
        kept, rows = np.unique(np.asarray(names, np.float64), return_inverse=True)
        sums = [np.zeros(len(kept), np.int64) for _ in range(4)]
        for total, part in zip(sums, (self.counts, self.inside, self.sampled, self.touching), strict=True):
            np.add.at(total, rows, part)
        return Histogram(kept, *sums)

    def count_of(self, value: float) -> int:
        return int(self.counts[self.values == value].sum())


def together(histograms: Iterable[Histogram]) -> Histogram:
    """One histogram of all pixels."""
    parts = list(histograms)
    fields = ("counts", "inside", "sampled", "touching")
    columns = [np.concatenate([getattr(part, name) for part in parts] or [np.zeros(0, np.int64)]) for name in fields]
    values = np.concatenate([part.values for part in parts] or [np.zeros(0)])
    return Histogram(values, *columns).renamed(values)


@dataclass(frozen=True)
class MaskValues:
    """One mask's file.

    file: relative to the project. size: (height, width), after the file's own EXIF turn. drawn: the histogram of
    palette indexes, grey values or colours, by `coding`. alpha: the histogram of its opacity, if it has an alpha
    channel that is not zero throughout. distinct: how many values the file really has; `drawn` keeps MOST_KEPT of them.
    lowest, highest: of grey values. is_one_colour: whether pixels differ in opacity only. is_fraction: whether values
    are numbers that are not whole. palette: the packed colours of the indexes that are used. is_lossy: a JPEG.
    """

    file: str
    size: tuple[int, int]
    coding: Coding
    drawn: Histogram
    distinct: int
    lowest: float = 0.0
    highest: float = 0.0
    alpha: Histogram | None = None
    is_one_colour: bool = False
    is_fraction: bool = False
    palette: Mapping[int, int] = field(default_factory=dict)
    is_bit: bool = False
    is_lossy: bool = False

    def histogram(self, reading: Reading) -> Histogram:
        """The values in that reading. A colour file has no numbers: there it is empty."""
        if reading is Reading.ALPHA:
            return self.alpha or Histogram.of_counts([255.0], [self.size[0] * self.size[1]])
        if reading is Reading.NUMBERS:
            return Histogram.of_counts([], []) if self.coding is Coding.COLOUR else self.drawn
        if self.coding is Coding.COLOUR:
            return self.drawn
        if self.coding is Coding.PALETTE:
            names = [self.palette.get(int(value), TRANSPARENT) for value in self.drawn.values]
            return self.drawn.renamed(names)
        return self.drawn.renamed(grey_as_colour(self.drawn.values * (255 if self.is_bit else 1)))


def grey_as_colour(values: Any) -> Any:
    """Packed colours of grey values; what no grey of 8 bits is gets a number that no colour has."""
    known = (values >= 0) & (values <= 255) & (values == np.floor(values))
    return np.where(values == TRANSPARENT, TRANSPARENT, np.where(known, values * 0x010101, values + 0x1000000))


def packed(colour: Colour) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def unpacked(value: float) -> Colour:
    number = int(value)
    return number >> 16 & 255, number >> 8 & 255, number & 255


def differ_visibly(one: float, other: float) -> bool:
    """Whether two packed colours can be told apart."""
    pairs = zip(unpacked(one), unpacked(other), strict=True)
    return max(abs(a - b) for a, b in pairs) >= VISIBLE_DIFFERENCE
