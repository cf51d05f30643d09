"""Separates the values of areas from those of blurred edges and noise, in all masks of a set. Pure, numpy only.

An area has an inside, which consists of blocks of equal pixels. The noise of a JPEG and the soft edge of a drawn shape
have hardly any such blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trainer_worker.layouts.layout import MAX_CLASSES
from trainer_worker.segmentation.mask_values import (
    TRANSPARENT,
    Coding,
    Histogram,
    MaskValues,
    Reading,
    differ_visibly,
    together,
    unpacked,
)

#: The value of an area has at least this share of its pixels in blocks of 2 x 2 equal pixels.
LEAST_INSIDE = 0.1
#: Masks are noisy if they are JPEG files or have this many values besides those of areas. In noisy masks, areas whose
#: values differ by at most _NOISE are one area.
NOISY_FROM_VALUES = 8
_NOISE = 24
#: Two values with a soft edge between them differ by at least this much. Class numbers differ by less.
_LEAST_STEP = 16
#: A rim of unlabelled pixels has at least this share of its pixels near both of the areas that it separates.
LEAST_TOUCHING = 0.8
#: The areas of noisy masks have at least this share of all pixels; the even surfaces of photos have less.
LEAST_IN_AREAS = 0.5
#: In noisy masks at most this share of all pixels may lie far from both foreground and background.
MOST_UNDECIDED = 0.3


@dataclass(frozen=True)
class Levels:
    """areas: the values of each area, the most frequent one first. soft: the values of blurred edges and noise.

    all: the histogram of all masks of the set.
    """

    areas: tuple[tuple[float, ...], ...]
    soft: tuple[float, ...]
    all: Histogram

    def pixels_of(self, area: Sequence[float]) -> int:
        return sum(self.all.count_of(value) for value in area)

    @property
    def pixels(self) -> int:
        return int(self.all.counts.sum())

    def share_of(self, area: Sequence[float]) -> float:
        return self.pixels_of(area) / max(1, self.pixels)


def find_levels(masks: Sequence[MaskValues], reading: Reading) -> Levels:
    """The areas of a set, the one with the most pixels first."""
    everything = together(mask.histogram(reading) for mask in masks)
    order = np.argsort(-everything.counts, kind="stable")
    values = [float(value) for value in everything.values[order]]
    if len(values) <= 2:
        return Levels(tuple((value,) for value in values), (), everything)
    # A file with two values has no soft edges, so both of its values are areas.
    plain = {float(v) for mask in masks if mask.distinct <= 2 for v in mask.histogram(reading).values}
    shares = dict(zip(everything.values.tolist(), everything.inside / np.maximum(1, everything.counts), strict=True))
    solid = [value for value in values if value in plain or shares[value] >= LEAST_INSIDE]
    noisy = len(values) - len(solid) >= NOISY_FROM_VALUES or any(mask.is_lossy for mask in masks)
    if noisy:
        found = _of_noisy(values, solid, reading, everything)
        # The histograms of photos hold only a few of their colours, so the share is taken of the masks' sizes.
        pixels = sum(height * width for height, width in (mask.size for mask in masks))
        is_photo = sum(map(found.pixels_of, found.areas)) < LEAST_IN_AREAS * pixels
        return Levels((), found.soft, everything) if is_photo else found
    soft = [value for value in values if value not in solid and _is_between(value, solid, reading)]
    return Levels(tuple((value,) for value in values if value not in soft), tuple(soft), everything)


def _of_noisy(values: list[float], solid: list[float], reading: Reading, everything: Histogram) -> Levels:
    groups: list[list[float]] = []
    for value in solid:
        near = [group for group in groups if difference(value, group[0], reading) <= _NOISE]
        if near:
            near[0].append(value)
        else:
            groups.append([value])
    if len(groups) == 1:  # thin shapes without an inside: what differs most from the background is the object
        farthest = max(values, key=lambda value: difference(value, groups[0][0], reading))
        if difference(farthest, groups[0][0], reading) > _NOISE:
            groups.append([farthest])
    grouped = {value for group in groups for value in group}
    soft = tuple(value for value in values if value not in grouped)
    return Levels(tuple(tuple(group) for group in groups), soft, everything)


def _is_between(value: float, solid: Sequence[float], reading: Reading) -> bool:
    """Whether a value lies between two others as those of a soft edge do."""
    for one in solid:
        for other in solid:
            step = difference(one, other, reading)
            detour = difference(one, value, reading) + difference(value, other, reading) - step
            if step >= _LEAST_STEP and value not in (one, other) and detour <= _LEAST_STEP / 2:
                return True
    return False


def difference(one: float, other: float, reading: Reading) -> float:
    """How far two values lie apart: of colours the largest difference of a channel."""
    if reading is not Reading.COLOURS or TRANSPARENT in (one, other):
        return abs(one - other)
    return max(abs(a - b) for a, b in zip(unpacked(one), unpacked(other), strict=True))


def undecided_share(levels: Levels, reading: Reading) -> float:
    """The share of the pixels whose values are far from those of all areas: in the middle third between them."""
    leads = [area[0] for area in levels.areas]
    steps = [difference(one, other, reading) for one in leads for other in leads if one != other]
    most = min(steps, default=0.0) / 3
    far = [value for value in levels.soft if min(difference(value, lead, reading) for lead in leads) > most]
    return levels.share_of(far)


def touching_share(levels: Levels, value: float) -> float:
    """The share of a value's pixels that lie near two other areas, in the masks that hold several values."""
    row = levels.all.values == value
    return float(levels.all.touching[row].sum() / max(1, levels.all.sampled[row].sum()))


def reading_of(masks: Sequence[MaskValues]) -> Reading:
    """Which number of a pixel tells what it shows, for the whole set, if no file lists classes.

    It is the opacity if nothing else differs, or if what is opaque is a photo. Palettes are read by their colours,
    since programs order them as they like. If the colours look the same, the palette index counts.
    """
    varies = any(mask.alpha is not None and len(mask.alpha.values) > 1 for mask in masks)
    if varies and all(mask.is_one_colour or mask.distinct == 1 for mask in masks):
        return Reading.ALPHA
    if varies and _are_cut_out(masks):
        return Reading.ALPHA
    if any(mask.coding is Coding.COLOUR for mask in masks):
        return Reading.COLOURS
    palettes = [mask.palette for mask in masks if mask.coding is Coding.PALETTE]
    return Reading.COLOURS if palettes and all(_can_be_seen(palette) for palette in palettes) else Reading.NUMBERS


def _are_cut_out(masks: Sequence[MaskValues]) -> bool:
    """Whether most masks are photos whose background was made transparent, and the others may be such."""
    photos = sum(mask.alpha is not None and mask.distinct > MAX_CLASSES + 1 for mask in masks)
    return 2 * photos > len(masks) and all(mask.alpha is not None or mask.distinct == 1 for mask in masks)


def _can_be_seen(palette: Mapping[int, int]) -> bool:
    """Whether the colours that a palette mask uses say what its indexes do."""
    colours = list(palette.values())
    if len(set(colours)) < len(colours):
        return False
    return len(colours) < 2 or any(differ_visibly(colours[0], other) for other in colours[1:])
