"""Converts decoded pictures to plain grey or RGB of 8 bits: transparency is laid on white, deep grey is scaled.

Large pictures are converted in bands of rows, because converting takes up to BAND_BYTES_OF_PIXEL for each pixel.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

#: The pixels of a band, and the bytes that each takes while it is converted: 10 MB together.
BAND_PIXELS = 250_000
BAND_BYTES_OF_PIXEL = 40

#: The usual ranges of grey values in files with more than 8 bits: 8, 10, 12, 14, 16 and 31 bits.
GREY_RANGES = (255.0, 1023.0, 4095.0, 16383.0, 65535.0, 2147483647.0)
#: Those of fractions.
FLOAT_RANGES = (1.0, *GREY_RANGES)


@dataclass(frozen=True)
class GreyScale:
    """Which grey value becomes white in pictures of more than 8 bits; 0 where a set has no such pictures.

    white: for whole numbers. white_of_floats: for fractions.
    """

    white: float = 0.0
    white_of_floats: float = 0.0

    def white_in(self, image: Image.Image) -> float:
        """For that picture. One of a kind that the set did not have keeps its own range."""
        return (self.white_of_floats if is_float(image) else self.white) or _own_white(image)

    @property
    def facts(self) -> dict[str, float]:
        """For metrics.json and manifest.json: what an app has to do too; {} if there is nothing to do."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value}

    @property
    def view(self) -> str:
        """A part of a cache's key: "" where nothing depends on the scale."""
        return "".join(f"-{value:g}" for value in (self.white, self.white_of_floats)) if self.facts else ""


#: Every picture keeps its own range. That is right only where pictures are not compared.
OWN_RANGES = GreyScale()


def bands(image: Image.Image, rows_multiple_of: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """Yields (first row, the band of rows that begins there). A small picture is one band."""
    width, height = image.size
    rows = max(1, BAND_PIXELS // width // rows_multiple_of) * rows_multiple_of
    if rows >= height:
        yield 0, image
        return
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(top + rows, height)))


def is_flat(image: Image.Image) -> bool:
    """Whether the picture already is grey or RGB of 8 bits."""
    return image.mode in ("L", "RGB") and not image.has_transparency_data


def flat_mode(image: Image.Image) -> str:
    """The mode that the picture is converted to: "L" for grey, else "RGB"."""
    return "L" if is_deep(image) or (image.mode in ("1", "L") and not image.has_transparency_data) else "RGB"


def is_deep(image: Image.Image) -> bool:
    return image.mode in ("I", "F") or image.mode.startswith("I;")


def is_float(image: Image.Image) -> bool:
    return image.mode == "F"


def flatten(image: Image.Image, factor: int = 1, scale: GreyScale = OWN_RANGES) -> Image.Image:
    """The picture as "L" or "RGB", on white. factor: along each side, the mean of this many pixels becomes one."""
    if is_flat(image) and factor == 1:
        return image
    top = scale.white_in(image) if is_deep(image) else 0.0
    width, height = (-(-side // factor) for side in image.size)
    flat = Image.new(flat_mode(image), (width, height))
    for first_row, band in bands(image, factor):
        part = _flat_band(band, top)
        flat.paste(part.reduce(factor) if factor > 1 else part, (0, first_row // factor))
    return flat


def as_array(image: Image.Image) -> npt.NDArray[np.uint8]:
    """An "L" or "RGB" picture as uint8 (height, width, 3)."""
    if image.width * image.height <= BAND_PIXELS:
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for first_row, band in bands(image):
        pixels[first_row : first_row + band.height] = np.asarray(band.convert("RGB"))
    return pixels


def _flat_band(band: Image.Image, top: float) -> Image.Image:
    if is_deep(band):
        return _deep_grey_to_grey(band, top)
    if band.has_transparency_data:
        colours = band.convert("RGBA")
        page = Image.new("RGB", band.size, "white")
        page.paste(colours, mask=colours.getchannel("A"))
        return page
    mode = flat_mode(band)
    return band if band.mode == mode else band.convert(mode)


def _own_white(image: Image.Image) -> float:
    return white_for(brightest(image), is_float(image))


def white_for(brightest_value: float, floats: bool) -> float:
    """The value that becomes white in pictures with that brightest value.

    The scale is the smallest usual range that holds the brightest value, never the contrast of the pictures, so those
    of one camera stay comparable. The file type's range alone is not enough: pictures of cameras that write 12 bits
    into 16 would be nearly black. Floats that stay within 0..1 have that range.
    """
    ranges = FLOAT_RANGES if floats else GREY_RANGES
    return next((limit for limit in ranges if brightest_value <= limit), brightest_value)


def brightest(image: Image.Image) -> float:
    """The largest finite value of a picture of deep grey."""
    return max(float(np.nan_to_num(_deep_values(band), posinf=0.0).max()) for _, band in bands(image))


def _deep_values(band: Image.Image) -> npt.NDArray[Any]:
    """The values of a band: 16-bit ones as they are stored, all others as float64 without NaN."""
    if band.mode.startswith("I;"):
        return np.asarray(band)
    values = np.asarray(band, dtype=np.float64)
    return np.where(np.isnan(values), 0.0, values)


def _deep_grey_to_grey(band: Image.Image, top: float) -> Image.Image:
    """16-bit, 32-bit and float grey as 8 bits. Negative values become 0."""
    values = _deep_values(band)
    transparent: Any = band.info.get("transparency")
    if values.dtype.kind == "u":  # a table is much faster than computing each pixel
        table = _scaled(np.arange(65536, dtype=np.float64), top)
        if isinstance(transparent, int) and 0 <= transparent < len(table):
            table[transparent] = 255
        return Image.fromarray(table[values])
    grey = _scaled(values, top)
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey)


def _scaled(values: npt.NDArray[np.float64], top: float) -> npt.NDArray[np.uint8]:
    scaled: npt.NDArray[np.uint8] = np.clip(np.rint(values * (255.0 / top)), 0, 255).astype(np.uint8)
    return scaled
