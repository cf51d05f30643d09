"""Opens every mask of a set once, before the training, and counts its values. What they mean is decided afterwards,
for the whole set (set_rule.py).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from trainer_worker.pictures.flattening import bands
from trainer_worker.pictures.images import PictureReader, UnreadableImageError, orientation
from trainer_worker.segmentation.mask_values import (
    MOST_KEPT,
    TRANSPARENT,
    Coding,
    Histogram,
    MaskValues,
    Reading,
    packed,
)
from trainer_worker.segmentation.masks import (
    COLOUR_MODES,
    LOSSY_FORMATS,
    WITH_ALPHA,
    PictureShape,
    alpha_counts,
    alpha_of,
    codes_of,
    needed_bytes,
    opened_mask,
    picture_shape,
)

#: The colours of a mask with more of them are counted on a part of its pixels only.
_MOST_COLOURS = 65_536
#: The part of the pixels on which the colours of such a mask are counted.
_SAMPLED_SIDE_PX = 1000
#: The coarse grid on which rims are looked for, and how near a rim's pixels are to both of its neighbours.
_GRID_SIDE_PX = 256
_RIM_PX = 8
_BATCH = 32


class SurveyedPair(NamedTuple):
    """The values of a mask, or why it can't be read, and the shape of its picture; None if that can't be read."""

    values: MaskValues | UnreadableImageError
    picture: PictureShape | None


def survey(
    reader: PictureReader, pairs: Sequence[tuple[Path, Path]], threads: int, on_step: Callable[[], None]
) -> list[SurveyedPair]:
    """Look at each (picture, mask). on_step is called several times a second; an exception from it ends the survey."""
    found: list[SurveyedPair] = []
    with ThreadPoolExecutor(threads, thread_name_prefix="survey") as pool:
        for start in range(0, len(pairs), _BATCH):
            found += pool.map(functools.partial(_surveyed, reader), pairs[start : start + _BATCH])
            on_step()
    return found


def _surveyed(reader: PictureReader, pair: tuple[Path, Path]) -> SurveyedPair:
    picture, mask = pair
    try:
        shape: PictureShape | None = picture_shape(reader, picture)
    except UnreadableImageError:  # reading the pictures says so
        shape = None
    try:
        return SurveyedPair(values_of(reader, mask), shape)
    except UnreadableImageError as error:
        return SurveyedPair(error, shape)


def values_of(reader: PictureReader, path: Path) -> MaskValues:
    """Decode one mask and count its values. Raises UnreadableImageError."""
    with opened_mask(reader, path) as stored, reader.budget.reserved(needed_bytes(reader, stored)):
        image = stored.load()
        return _values(reader.files.name_of(path), image)


def _values(file: str, image: Image.Image) -> MaskValues:
    has_alpha = alpha_counts(image)
    coding = _coding(image)
    reading = Reading.COLOURS if coding is Coding.COLOUR else Reading.NUMBERS
    values, counts = _counts(image, reading, has_alpha)
    order = np.argsort(-counts, kind="stable")[:MOST_KEPT]
    drawn = Histogram.of_counts(values[order], counts[order])
    if len(values) > 2:
        drawn = _with_places(drawn, image, reading, has_alpha)
    turn = orientation(image)
    visible = values[values != TRANSPARENT]
    return MaskValues(
        file,
        image.size if turn in (5, 6, 7, 8) else image.size[::-1],
        coding,
        drawn,
        distinct=len(values),
        lowest=float(visible.min(initial=0.0)),
        highest=float(visible.max(initial=0.0)),
        alpha=_alpha(image) if image.mode in WITH_ALPHA else None,
        is_one_colour=has_alpha and all(low == high for low, high in _extremes_of_colour(image)),
        is_fraction=bool((visible != np.floor(visible)).any()),
        palette=_palette(image, values) if coding is Coding.PALETTE else {},
        is_bit=image.mode == "1",
        is_lossy=image.format in LOSSY_FORMATS,
    )


def _coding(image: Image.Image) -> Coding:
    if image.mode in ("P", "PA"):
        return Coding.PALETTE
    if image.mode not in COLOUR_MODES:
        return Coding.GREY
    for _, band in bands(image):
        pixels = np.asarray(band.convert("RGB"))
        if (pixels != pixels[..., :1]).any():
            return Coding.COLOUR
    return Coding.GREY


def _counts(image: Image.Image, reading: Reading, has_alpha: bool) -> tuple[Any, Any]:
    """All values, float64 (n,), and their pixels, int64 (n,)."""
    if image.mode in ("L", "P", "1"):
        histogram = np.array(image.histogram()[:256], np.int64)
        present = np.flatnonzero(histogram)
        return (present > 0 if image.mode == "1" else present).astype(np.float64), histogram[present]
    if image.mode == "RGB" and (found := image.getcolors(_MOST_COLOURS)):
        colours = np.array([packed(colour) for _, colour in found], np.float64)  # type: ignore[arg-type]
        values = colours if reading is Reading.COLOURS else colours % 256
        return values, np.array([count for count, _ in found], np.int64)
    total_px = image.width * image.height
    if reading is Reading.COLOURS or image.mode in ("I", "F"):
        # A photo, or a mask full of noise, may have millions of values: a part of the pixels tells as much.
        image = _reduced(image, _SAMPLED_SIDE_PX)
    totals = Histogram.of_counts([], [])
    for _, band in bands(image):
        codes = np.nan_to_num(codes_of(band, reading, has_alpha))
        values, counts = np.unique(codes, return_counts=True)
        both = (np.append(totals.values, values), np.append(totals.counts, counts))
        totals = Histogram.of_counts(*both).renamed(both[0])
    share = image.width * image.height / total_px
    return totals.values, np.maximum(1, totals.counts / share).astype(np.int64)


def _reduced(image: Image.Image, side_px: int) -> Image.Image:
    """The picture with fewer pixels, by nearest neighbour, so that no side is longer than side_px."""
    longest = max(image.size)
    if longest <= side_px:
        return image
    width, height = (max(1, side * side_px // longest) for side in image.size)
    return image.resize((width, height), Image.Resampling.NEAREST)


def _with_places(drawn: Histogram, image: Image.Image, reading: Reading, has_alpha: bool) -> Histogram:
    """The histogram with `inside`, `sampled` and `touching`."""
    inside, order = np.zeros(len(drawn.values), np.int64), np.argsort(drawn.values)
    ordered = drawn.values[order]
    for _, band in bands(image):
        codes = codes_of(band, reading, has_alpha)
        corner = codes[:-1, :-1]
        same = (corner == codes[1:, 1:]) & (corner == codes[1:, :-1]) & (corner == codes[:-1, 1:])
        inside[order] += _counted(corner[same], ordered)
    grid = codes_of(_reduced(image, _GRID_SIDE_PX), reading, has_alpha)
    sampled = np.array([(grid == value).sum() for value in drawn.values], np.int64)
    touching = np.array([_touching(grid, drawn.values, row) for row in range(len(drawn.values))], np.int64)
    return Histogram(drawn.values, drawn.counts, inside, sampled, touching)


def _counted(codes: Any, ordered: Any) -> Any:
    """The number of codes with each of these values. ordered: the values, rising."""
    if codes.dtype == np.uint8:
        return np.bincount(codes, minlength=256)[ordered.astype(np.int64).clip(0, 255)]
    places = np.searchsorted(ordered, codes).clip(max=len(ordered) - 1)
    return np.bincount(places[ordered[places] == codes], minlength=len(ordered))


def _touching(grid: Any, values: Any, row: int) -> int:
    """The pixels of values[row] that are near both of the two most frequent other values. values: the most frequent
    first."""
    if row >= 3:  # a rim is always one of the three most frequent values
        return 0
    others = [value for value in values[:3] if value != values[row]]
    near = [_near(grid == value) for value in others]
    return int(((grid == values[row]) & near[0] & near[1]).sum()) if len(near) == 2 else 0


def _near(marked: Any) -> Any:
    """The pixels that have a marked pixel at most _RIM_PX away, in both directions: bool (h, w)."""
    for axis in (0, 1):
        grown = marked.copy()
        for step in range(1, min(_RIM_PX, marked.shape[axis] - 1) + 1):
            ahead, behind = [slice(None)] * 2, [slice(None)] * 2
            ahead[axis], behind[axis] = slice(step, None), slice(None, -step)
            grown[tuple(ahead)] |= marked[tuple(behind)]
            grown[tuple(behind)] |= marked[tuple(ahead)]
        marked = grown
    return marked


def _alpha(image: Image.Image) -> Histogram:
    histogram = np.array(alpha_of(image).histogram(), np.int64)
    values = np.flatnonzero(histogram)
    return _with_places(Histogram.of_counts(values, histogram[values]), image, Reading.ALPHA, has_alpha=True)


def _extremes_of_colour(image: Image.Image) -> list[tuple[float, float]]:
    """The lowest and highest value of each channel but the opacity."""
    if image.mode not in WITH_ALPHA:
        return []
    return [image.getchannel(number).getextrema() for number in range(len(image.getbands()) - 1)]  # type: ignore[misc]


def _palette(image: Image.Image, indexes: Any) -> dict[int, int]:
    """The packed colours of these indexes."""
    colours = Image.fromarray(np.arange(256, dtype=np.uint8)[np.newaxis])
    colours.putpalette(image.getpalette("RGB") or [])
    pixels = np.asarray(colours.convert("RGB"))[0]
    return {int(index): packed(tuple(pixels[int(index)].tolist())) for index in indexes if 0 <= index < 256}
