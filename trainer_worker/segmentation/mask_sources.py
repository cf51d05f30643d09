"""Reads the mask of a picture from whatever it is made of: a file, several files, or outlines to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from trainer_worker.layouts.layout import Drawing, ObjectMasks, Part
from trainer_worker.pictures.images import (
    MAX_PIXELS,
    TURNS_THAT_SWAP_SIDES,
    PictureReader,
    UnreadableImageError,
    image_size,
    opened,
    stored_turn,
    turned,
)
from trainer_worker.segmentation.classes import Mask, MaskClasses
from trainer_worker.segmentation.draw import DRAWING_BYTES_OF_PIXEL, DrawingError, draw
from trainer_worker.segmentation.mask_rule import MaskRule
from trainer_worker.segmentation.masks import mask_bytes, read_mask

#: Sides of a picture and of what was drawn for it may differ by this share, for rounding.
MOST_RATIO_DIFFERENCE = 0.02


@dataclass(frozen=True)
class MaskedPicture:
    """A picture and its mask: a file, the files of its objects, or what is drawn for it. part: see the split."""

    picture: Path
    mask: Path | ObjectMasks | Drawing
    part: Part = Part.ANY

    def mask_file(self, reader: PictureReader) -> Path:
        """The file to name when something is wrong with the mask."""
        if isinstance(self.mask, ObjectMasks):
            return reader.files.project_dir / self.mask.files[0][0]
        return self.picture if isinstance(self.mask, Drawing) else self.mask


@dataclass(frozen=True)
class MaskMeaning:
    """How the masks of a set are read: of_files for one file a picture, of_objects for one file an object."""

    classes: MaskClasses
    of_files: MaskRule
    of_objects: MaskRule


def read_mask_of(reader: PictureReader, pair: MaskedPicture, size: tuple[int, int], meaning: MaskMeaning) -> Mask:
    """The mask as uint8 (height, width) = size, of class numbers. Waits for its share of the memory.

    Raises UnreadableImageError, UnknownClassError.
    """
    if isinstance(pair.mask, Drawing):
        return _drawn(reader, pair.picture, pair.mask, size, meaning.classes)
    if isinstance(pair.mask, ObjectMasks):
        return _laid_together(reader, pair.picture, pair.mask, size, meaning)
    return read_mask(reader, pair.mask, size, meaning.of_files, pair.picture)


def mask_bytes_of(reader: PictureReader, pair: MaskedPicture, size: tuple[int, int]) -> int:
    """The bytes that read_mask_of would reserve. Raises UnreadableImageError."""
    if isinstance(pair.mask, Drawing):
        width, height = _drawn_size(reader, pair.picture, pair.mask)
        return _drawing_bytes(width, height, size)
    if isinstance(pair.mask, ObjectMasks):
        root = reader.files.project_dir
        return size[0] * size[1] + max(mask_bytes(reader, root / path, size) for path, _ in pair.mask.files)
    return mask_bytes(reader, pair.mask, size)


def _numbers(classes: MaskClasses) -> dict[str, int]:
    return {name: number for number, name in enumerate(classes.names)}


def _laid_together(
    reader: PictureReader, picture: Path, masks: ObjectMasks, size: tuple[int, int], meaning: MaskMeaning
) -> Mask:
    """Each file marks one object; a file without a class name marks foreground."""
    numbers = _numbers(meaning.classes)
    together = np.zeros(size, np.uint8)
    for path, name in masks.files:
        marked = read_mask(reader, reader.files.project_dir / path, size, meaning.of_objects, picture)
        together[marked == 1] = numbers.get(name, 1)
    return together


def _drawn(reader: PictureReader, picture: Path, drawing: Drawing, size: tuple[int, int], classes: MaskClasses) -> Mask:
    width, height = _drawn_size(reader, picture, drawing)
    turn = _turn(reader, picture, width, height)
    needed = _drawing_bytes(width, height, size)
    if needed > reader.budget.most_bytes:
        raise UnreadableImageError(
            picture,
            f"drawing its mask of {width * height / 1e6:.1f} megapixels takes {needed // 1024**2:,} MB of memory",
        )
    try:
        with reader.budget.reserved(needed):
            mask = turned(draw(drawing, _numbers(classes), (width, height)), turn)
            return np.array(Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST))
    except DrawingError as error:
        raise UnreadableImageError(picture, str(error)) from error


def _drawing_bytes(width: int, height: int, size: tuple[int, int]) -> int:
    return DRAWING_BYTES_OF_PIXEL * width * height + 2 * size[0] * size[1]


def _drawn_size(reader: PictureReader, picture: Path, drawing: Drawing) -> tuple[int, int]:
    """(width, height) that the coordinates refer to."""
    if drawing.size is None:
        height, width = image_size(reader, picture)
        return width, height
    width, height = drawing.size
    if width * height > MAX_PIXELS:
        raise UnreadableImageError(picture, f"its outlines are said to be of {width} x {height} pixels, too many")
    return width, height


def _turn(reader: PictureReader, picture: Path, width: int, height: int) -> int:
    """The turn for a mask of that size: 1, or that of the picture if the outlines were drawn before it was turned.

    Raises UnreadableImageError if they fit in neither way: outlines are never squeezed.
    """
    upright_height, upright_width = image_size(reader, picture)
    if _is_alike(width, height, upright_width, upright_height):
        return 1
    with opened(reader, picture) as stored:
        turn = stored_turn(reader, stored)
    if turn in TURNS_THAT_SWAP_SIDES and _is_alike(width, height, upright_height, upright_width):
        return turn
    raise UnreadableImageError(
        picture,
        f"its outlines were drawn on {width} x {height} pixels, but it has {upright_width} x {upright_height}; "
        "use the picture that was annotated, or annotate this one",
    )


def _is_alike(width: int, height: int, other_width: int, other_height: int) -> bool:
    """Whether both have the same ratio of their sides, except for what rounding to whole pixels does."""
    ratio = width * other_height / (height * other_width)
    rounding = 1 + 1 / min(width, height, other_width, other_height)
    most = max(1 + MOST_RATIO_DIFFERENCE, rounding)
    return 1 / most <= ratio <= most
