"""Reads the mask of a picture from whatever it is made of: a file, several files, or outlines to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from trainer_worker.layouts.layout import Drawing, ObjectMasks, Part
from trainer_worker.pictures.images import (
    MAX_PIXELS,
    PictureReader,
    UnreadableImageError,
    image_size,
    rgb_bytes,
    turned,
)
from trainer_worker.segmentation.classes import UNLABELLED, Mask, MaskClasses
from trainer_worker.segmentation.draw import DRAWING_BYTES_OF_PIXEL, DrawingError, draw
from trainer_worker.segmentation.mask_rule import MaskRule
from trainer_worker.segmentation.masks import mask_bytes, picture_shape, read_mask, same_shape


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

    def mask_files(self, reader: PictureReader) -> list[Path]:
        """The files that hold the mask; none where it is drawn."""
        if isinstance(self.mask, ObjectMasks):
            return [reader.files.project_dir / path for path, _ in self.mask.files]
        return [] if isinstance(self.mask, Drawing) else [self.mask]


@dataclass(frozen=True)
class MaskMeaning:
    """How the masks of a set are read.

    of_files: the rule for files that are the mask of a whole picture. of_objects: for files that each mark one object.
    """

    classes: MaskClasses
    of_files: MaskRule
    of_objects: MaskRule


def read_mask_of(reader: PictureReader, pair: MaskedPicture, size: tuple[int, int], meaning: MaskMeaning) -> Mask:
    """The mask as uint8 (height, width) = size, of class numbers and UNLABELLED. Waits for its share of the memory.

    Raises UnreadableImageError, UnknownClassError.
    """
    if isinstance(pair.mask, Drawing):
        return _drawn(reader, pair.picture, pair.mask, size, meaning.classes)
    if isinstance(pair.mask, ObjectMasks):
        return _laid_together(reader, pair, size, meaning)
    return read_mask(reader, pair.mask, size, meaning.of_files, pair.picture)


def mask_bytes_of(reader: PictureReader, pair: MaskedPicture, size: tuple[int, int]) -> int:
    """The bytes that read_mask_of would reserve. Raises UnreadableImageError."""
    if isinstance(pair.mask, Drawing):
        width, height = _drawn_size(reader, pair.picture, pair.mask)
        return _drawing_bytes(width, height, size)
    if isinstance(pair.mask, ObjectMasks):
        return size[0] * size[1] + max(mask_bytes(reader, path, size) for path in pair.mask_files(reader))
    return mask_bytes(reader, pair.mask, size)


def whole_bytes_of(reader: PictureReader, pair: MaskedPicture, size: tuple[int, int]) -> int:
    """The bytes for reading a picture and its mask at this size, as tiles are cut from. Raises UnreadableImageError."""
    pixels = size[0] * size[1]
    # The picture is kept while its mask is read, and both while tiles are cut.
    return max(4 * pixels, rgb_bytes(reader, pair.picture, size), 3 * pixels + mask_bytes_of(reader, pair, size))


def _numbers(classes: MaskClasses) -> dict[str, int]:
    return {name: number for number, name in enumerate(classes.names)}


def _laid_together(reader: PictureReader, pair: MaskedPicture, size: tuple[int, int], meaning: MaskMeaning) -> Mask:
    """Each file marks one object; a file without a class name marks foreground. An object hides what is unlabelled."""
    assert isinstance(pair.mask, ObjectMasks)
    numbers = _numbers(meaning.classes)
    together = np.zeros(size, np.uint8)
    for path, (_, name) in zip(pair.mask_files(reader), pair.mask.files, strict=True):
        marked = read_mask(reader, path, size, meaning.of_objects, pair.picture)
        together[(marked == UNLABELLED) & (together == 0)] = UNLABELLED
        together[marked == 1] = numbers.get(name, 1)
    return together


def _drawn(reader: PictureReader, picture: Path, drawing: Drawing, size: tuple[int, int], classes: MaskClasses) -> Mask:
    width, height = _drawn_size(reader, picture, drawing)
    turn = _turn(reader, picture, width, height)
    needed = _drawing_bytes(width, height, size)
    if needed > reader.budget.most_bytes:
        raise UnreadableImageError(
            picture,
            f"drawing its mask of {width * height / 1e6:.1f} megapixels takes {needed // 1024**2:,} MB of memory, "
            f"of which {reader.budget.most_bytes // 1024**2} may be used; annotate a smaller copy of it",
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
        raise UnreadableImageError(
            picture, f"its annotations give it {width} x {height} pixels, which is more than the limit"
        )
    return width, height


def _turn(reader: PictureReader, picture: Path, width: int, height: int) -> int:
    """The turn for a mask of that size: 1, or that of the picture if the outlines were drawn before it was turned.

    Raises UnreadableImageError if they fit in neither way: outlines are never squeezed.
    """
    shape = picture_shape(reader, picture)
    turn = shape.turn_for((height, width))
    if not same_shape((height, width) if turn == 1 else (width, height), shape.size):
        raise UnreadableImageError(
            picture,
            f"its outlines were drawn on {width} x {height} pixels, but it has {shape.size[1]} x {shape.size[0]}; "
            "use the picture that was annotated, or annotate this one",
        )
    return turn
