"""Reads a mask's file as class numbers, one for each pixel, by the rule that was decided for all masks of the set."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from trainer_worker.layouts.mask_pairs import ARRAY_SUFFIX
from trainer_worker.pictures.flattening import BAND_BYTES_OF_PIXEL, BAND_PIXELS, bands
from trainer_worker.pictures.images import (
    TURNS_THAT_SWAP_SIDES,
    PictureReader,
    UnreadableImageError,
    opened,
    orientation,
    refuse_too_large,
    stored_turn,
)
from trainer_worker.pictures.user_files import RefusedFileError
from trainer_worker.segmentation.classes import Mask, UnknownClassError
from trainer_worker.segmentation.mask_rule import MaskRule
from trainer_worker.segmentation.mask_values import TRANSPARENT, Reading, grey_as_colour
from trainer_worker.segmentation.npy_masks import load_array, read_header

LOSSY_FORMATS = ("JPEG", "MPO")
WITH_ALPHA = ("RGBA", "LA", "RGBa", "La", "PA")
COLOUR_MODES = ("RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
#: A mask with this many unknown values holds no class numbers. Collecting more of them would only take memory.
_MOST_UNKNOWN = 10_000
#: A mask fits its picture if their ratios of width to height differ by no more than this share.
MOST_RATIO_DIFFERENCE = 0.02
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class StoredMask:
    """A mask's file whose header has been read. size: (width, height) as stored. load: decodes it."""

    size: tuple[int, int]
    load_bytes: int
    load: Callable[[], Image.Image]


class PictureShape(NamedTuple):
    """The (height, width) of an upright picture, and the turn by EXIF that made it upright."""

    size: tuple[int, int]
    turn: int

    def turn_for(self, mask_size: tuple[int, int]) -> int:
        """The turn for a mask of (height, width) without a turn of its own: the picture's quarter turn if the mask has
        the shape of the unturned pixels. Tools that ignore EXIF save such masks."""
        unturned = self.size[::-1]
        if self.turn not in TURNS_THAT_SWAP_SIDES or not same_shape(mask_size, unturned):
            return 1
        return self.turn if _ratio_between(mask_size, unturned) < _ratio_between(mask_size, self.size) else 1


def same_shape(mask: tuple[int, int], picture: tuple[int, int]) -> bool:
    """Whether a mask can be scaled to its picture without squeezing it; sides were rounded to whole pixels."""
    rounding = 1 + 1 / min(mask)
    return _ratio_between(mask, picture) <= max(1 + MOST_RATIO_DIFFERENCE, rounding)


def _ratio_between(one: tuple[int, int], other: tuple[int, int]) -> float:
    """The factor between the two ratios of width to height: 1.0 if they are equal, else more."""
    quotient = (one[0] * other[1]) / (one[1] * other[0])
    return max(quotient, 1 / quotient)


def picture_shape(reader: PictureReader, path: Path) -> PictureShape:
    """The shape of a picture, by its header. Raises UnreadableImageError."""
    with opened(reader, path) as picture:
        width, height = picture.full_size
        turn = stored_turn(reader, picture)
    return PictureShape((width, height) if turn in TURNS_THAT_SWAP_SIDES else (height, width), turn)


@contextlib.contextmanager
def opened_mask(reader: PictureReader, path: Path) -> Iterator[StoredMask]:
    """Read the header of a mask. Every error, also one in the block, becomes an UnreadableImageError."""
    if path.suffix.lower() != ARRAY_SUFFIX:
        with opened(reader, path) as picture:

            def loaded() -> Image.Image:
                picture.image.load()
                return picture.image

            yield StoredMask(picture.full_size, picture.load_bytes, loaded)
        return
    try:
        header = read_header(reader.files, path)
        yield StoredMask(header.size, header.load_bytes, lambda: load_array(reader.files, path, header))
    except RefusedFileError as refused:
        raise UnreadableImageError(path, refused.reason) from refused


def needed_bytes(reader: PictureReader, stored: StoredMask, size: tuple[int, int] | None = None) -> int:
    """The bytes for decoding and surveying a mask, or for reading it at that size (height, width).

    Raises RefusedFileError if they are too many.
    """
    pixels = stored.size[0] * stored.size[1]
    scaled = size[0] * size[1] if size is not None else 0
    of_scaled = 2 if size == stored.size[::-1] else 6
    working = 2 * pixels + min(max(pixels, scaled), BAND_PIXELS) * BAND_BYTES_OF_PIXEL + of_scaled * scaled
    refuse_too_large(reader, stored.size, stored.load_bytes + working)
    return stored.load_bytes + working


def mask_bytes(reader: PictureReader, path: Path, size: tuple[int, int]) -> int:
    """The bytes that read_mask would reserve, according to the header. Raises UnreadableImageError."""
    with opened_mask(reader, path) as stored:
        return needed_bytes(reader, stored, size)


def read_mask(
    reader: PictureReader, path: Path, size: tuple[int, int], rule: MaskRule, picture: Path | None = None
) -> Mask:
    """The mask as uint8 (height, width) of class numbers and UNLABELLED, scaled to `size` = (height, width) by nearest
    neighbour.

    picture: where given and it carries an EXIF quarter turn, a mask drawn on the unturned pixels is turned with it.
    Raises UnreadableImageError, and UnknownClassError for a value that the rule doesn't know.
    """
    shape = picture_shape(reader, picture) if picture is not None else None
    with opened_mask(reader, path) as stored, reader.budget.reserved(needed_bytes(reader, stored, size)):
        image = stored.load()
        if rule.classes.channels > 1 and image.format in LOSSY_FORMATS and not rule.takes_nearest:
            raise RefusedFileError("it is a JPEG, which blurs class numbers; save the mask as PNG")
        has_alpha, turn = alpha_counts(image), _turn(image, shape)
        if turn in _TURNS:  # numbers are turned, since they take less memory than the values
            numbers, unknown = _numbers(image, rule, has_alpha)
            image = Image.fromarray(numbers).transpose(_TURNS[turn])
        if image.size != size[::-1]:
            image = image.resize(size[::-1], Image.Resampling.NEAREST)
        if turn in _TURNS:
            numbers = np.array(image)
        else:
            numbers, unknown = _numbers(image, rule, has_alpha)
    if unknown:
        raise UnknownClassError(path, unknown)
    return numbers


def _turn(image: Image.Image, shape: PictureShape | None) -> int:
    """How a mask that is loaded has to be turned."""
    turn = orientation(image)  # after load, which turns TIFF pictures by itself
    return shape.turn_for((image.height, image.width)) if turn not in _TURNS and shape is not None else turn


def _numbers(image: Image.Image, rule: MaskRule, has_alpha: bool) -> tuple[Mask, list[float]]:
    """uint8 (h, w) by the rule, and the values that it doesn't know."""
    mask = np.empty((image.height, image.width), np.uint8)
    unknown: set[float] = set()
    for first_row, band in bands(image):
        mask[first_row : first_row + band.height], others = rule.applied(codes_of(band, rule.reading, has_alpha))
        unknown.update(others)
        if len(unknown) > _MOST_UNKNOWN:
            break
    return mask, sorted(unknown)


def alpha_counts(image: Image.Image) -> bool:
    """Whether the mask has an alpha channel that counts. One of zeros only was saved by mistake and does not."""
    return image.mode in WITH_ALPHA and bool(alpha_of(image).getextrema()[1])


def alpha_of(image: Image.Image) -> Image.Image:
    return image.getchannel(len(image.getbands()) - 1)


def codes_of(band: Image.Image, reading: Reading, has_alpha: bool) -> Any:
    """The number that stands for each pixel, (h, w) of any type (see mask_values.py)."""
    if reading is Reading.ALPHA:
        full = np.full((band.height, band.width), 255, np.uint8)
        return np.asarray(alpha_of(band)) if band.mode in WITH_ALPHA else full
    codes = _colour_codes(band) if reading is Reading.COLOURS else _number_codes(band)
    if has_alpha and band.mode in WITH_ALPHA:
        transparent = np.asarray(alpha_of(band)) == 0
        return np.where(transparent, TRANSPARENT, codes.astype(np.int32)) if transparent.any() else codes
    return codes


def _number_codes(band: Image.Image) -> Any:
    if band.mode in COLOUR_MODES:
        pixels = np.asarray(band.convert("RGB"))
        if (pixels != pixels[..., :1]).any():
            raise RefusedFileError(
                "it is a colour mask, but class numbers are palette indexes or grey values. Save it like the other "
                "masks, or list the colours of the classes in classes.txt"
            )
        return pixels[..., 0]
    pixels = np.asarray(band)
    if band.mode == "1":
        return pixels.astype(np.uint8)
    return pixels[..., 0] if pixels.ndim == 3 else pixels


def _colour_codes(band: Image.Image) -> Any:
    if band.mode.startswith(("I", "F")):
        return grey_as_colour(np.asarray(band, np.float64))
    pixels = np.asarray(band.convert("RGB"), np.int32)
    return pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
