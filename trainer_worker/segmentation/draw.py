"""Draws objects from a file of annotations into a mask of class numbers."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from trainer_worker.layouts.layout import Bitmap, Drawing, Outline, Polygon, RunLengths
from trainer_worker.segmentation.classes import Mask

#: Pillow computes with whole numbers of 32 bits, so points that lie farther outside than this many sides of the picture
#: are moved closer. No outline of a real object has such points.
_MOST_SIDES_OUTSIDE = 10
_ROUNDING_PX = 0.01
#: Objects may overlap. If they cover the picture more often than this, drawing them would take hours.
MOST_COVERS = 500
#: The memory of one pixel: the canvas, a layer for one object, and the layer's conversion.
DRAWING_BYTES_OF_PIXEL = 12
#: A number in COCO's text for runs has at most this many characters, of five bits each.
_MOST_CHARS_OF_RUN = 8


class DrawingError(Exception):
    """An object that can't be drawn. Its text is a reason, as of UnreadableImageError."""


def draw(drawing: Drawing, numbers: Mapping[str, int], size: tuple[int, int]) -> Mask:
    """Draw a mask uint8 (h, w) of class numbers: 0 where no object is, and later objects over earlier ones.

    numbers: of the class names. size: (width, height) of the mask, which the coordinates refer to unless they are
    shares. The pixels of an outline belong to its object. Raises DrawingError.
    """
    width, height = size
    canvas = np.zeros((height, width), np.uint8)
    left_px = float(MOST_COVERS * canvas.size)
    for item in drawing.objects:
        number = numbers[item.class_name]
        left_px -= _area_px(item, width, height, drawing.in_shares)
        if left_px < 0:
            raise DrawingError(f"its objects cover the picture more than {MOST_COVERS} times")
        if isinstance(item, Polygon):
            _draw_polygon(canvas, item, number, (width, height) if drawing.in_shares else (1, 1))
        elif isinstance(item, Bitmap):
            _draw_bitmap(canvas, item, number)
        else:
            canvas[run_lengths(item, width, height)] = number
    return canvas


def _area_px(item: Polygon | Bitmap | RunLengths, width: int, height: int, in_shares: bool) -> float:
    """The number of pixels that drawing an object goes through: those of its box, or all of the picture."""
    if not isinstance(item, Polygon):
        return width * height
    points = np.frombuffer(item.outline, np.float64).reshape(-1, 2)
    sides = np.array((1, 1) if in_shares else (width, height))
    box = np.clip(points.max(axis=0), 0, sides) - np.clip(points.min(axis=0), 0, sides)
    return float(box.prod()) * (width * height if in_shares else 1)


def _draw_polygon(canvas: Mask, polygon: Polygon, number: int, scale: tuple[int, int]) -> None:
    """Draw on a layer of the object's own box, so that its holes show what lies below."""
    height, width = canvas.shape
    outline = _points(polygon.outline, scale, (width, height))
    left, top = outline.min(axis=0).clip(min=0).tolist()
    right, bottom = (outline.max(axis=0) + 1).clip(max=(width, height)).tolist()
    if right <= left or bottom <= top:
        return
    layer = Image.new("L", (right - left, bottom - top))
    pen = ImageDraw.Draw(layer)
    pen.polygon(_shifted(outline, left, top), fill=1, outline=1)
    for hole in polygon.holes:
        pen.polygon(_shifted(_points(hole, scale, (width, height)), left, top), fill=0, outline=0)
    canvas[top:bottom, left:right][np.asarray(layer) > 0] = number


def _points(outline: Outline[float], scale: tuple[int, int], size: tuple[int, int]) -> Any:
    """int64 (n, 2) of x and y of pixels, none of them far outside of the picture."""
    points = np.frombuffer(outline, np.float64).reshape(-1, 2)
    if not np.isfinite(points).all():
        raise DrawingError("it has a coordinate that is no finite number")
    sides = np.array(size, np.float64)
    limits = _MOST_SIDES_OUTSIDE * sides + 1000
    pixels = np.clip(np.clip(points, -1e9, 1e9) * np.array(scale, np.float64), -limits, sides + limits)
    # A point lies in the pixel that holds it. Shares are rounded in the files, so 39.999 stands for 40.
    return np.floor(pixels + _ROUNDING_PX).astype(np.int64)


def _shifted(points: Any, left: int, top: int) -> list[tuple[int, int]]:
    return [(x, y) for x, y in (points - (left, top)).tolist()]


def _draw_bitmap(canvas: Mask, bitmap: Bitmap, number: int) -> None:
    height, width = canvas.shape
    try:
        with Image.open(io.BytesIO(bitmap.png), formats=["PNG"]) as image:
            if image.width * image.height > max(canvas.size, 1):
                raise DrawingError(f"it has a bitmap of {image.width} x {image.height} pixels, more than the picture")
            pixels = np.asarray(image)
            has_alpha = image.mode in ("RGBA", "LA")
    except DrawingError:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on broken files
        raise DrawingError("it has a bitmap that is no PNG, or damaged") from error
    if pixels.ndim == 3:
        pixels = pixels[..., -1] if has_alpha else pixels.max(axis=-1)
    left, top = max(0, bitmap.left_px), max(0, bitmap.top_px)
    part = pixels[top - bitmap.top_px : height - bitmap.top_px, left - bitmap.left_px : width - bitmap.left_px]
    if bitmap.left_px < width and bitmap.top_px < height and part.size:
        canvas[top : top + part.shape[0], left : left + part.shape[1]][part > 0] = number


def run_lengths(item: RunLengths, width: int, height: int) -> Any:
    """COCO's runs as bool (h, w). Raises DrawingError if together they have not as many pixels as the picture."""
    counts = _counts(item.counts) if isinstance(item.counts, bytes) else np.frombuffer(item.counts, np.int64)
    # The largest count is looked at first, so that the sum can't overflow.
    if not len(counts) or counts.min() < 0 or counts.max() > width * height or counts.sum() != width * height:
        raise DrawingError(f"it has an object whose runs are not {width} x {height} pixels together")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape((height, width), order="F")


def _counts(text: bytes) -> Any:
    """The lengths of runs from COCO's text.

    A number is written in groups of five bits, the lowest first. From the fourth number on, the text holds the
    difference to the number two places before.
    """
    characters = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    if not len(characters) or characters.min() < 0 or characters.max() > 63 or characters[-1] & 32:
        raise DrawingError("it has an object whose runs are no COCO text")
    ends = np.flatnonzero(characters & 32 == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    if (ends - starts).max() >= _MOST_CHARS_OF_RUN:
        raise DrawingError("it has an object whose runs are no COCO text")
    places = np.arange(len(characters)) - np.repeat(starts, ends - starts + 1)
    numbers = np.add.reduceat((characters & 31) << (5 * places), starts)
    negative = characters[ends] & 16 > 0
    numbers[negative] -= 1 << (5 * (ends - starts + 1))[negative]
    for first in (1, 2):
        numbers[first::2] = np.cumsum(numbers[first::2])
    return numbers
