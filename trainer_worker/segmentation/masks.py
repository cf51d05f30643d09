"""Reads a mask's file as foreground or class numbers, one for each pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from trainer_worker.pictures.flattening import BAND_BYTES_OF_PIXEL, BAND_PIXELS, bands
from trainer_worker.pictures.images import (
    TURNS_THAT_SWAP_SIDES,
    OpenPicture,
    PictureReader,
    opened,
    orientation,
    refuse_too_large,
    stored_turn,
    turned,
)
from trainer_worker.pictures.user_files import RefusedFileError
from trainer_worker.segmentation.classes import FOREGROUND_OR_NOT, Mask, MaskClasses, UnknownClassError, unlisted_values

_LOSSY = ("JPEG", "MPO")
_NOT_BLACK_AT_ZERO = ("CMYK", "YCbCr", "LAB", "HSV")  # colour spaces in which black is not all zeros
_WITH_ALPHA = ("RGBA", "LA", "RGBa", "La", "PA")
#: A mask that holds more different values than this has no class numbers; looking for all of them takes memory.
_MOST_VALUES = 10_000


def read_mask(
    reader: PictureReader,
    path: Path,
    size: tuple[int, int],
    picture: Path | None = None,
    classes: MaskClasses = FOREGROUND_OR_NOT,
) -> Mask:
    """The mask as uint8 (height, width), scaled to `size` = (height, width) by nearest neighbour.

    Without a list of classes 0 and 1. Anything above zero is foreground: palette images by their index (never their
    colour), grey of any depth, colour by its largest channel. JPEG, which smears edges, is cut at half of its largest
    value. With one, class numbers and UNLABELLED: palette indexes, or grey values; white of one bit is class 1.
    An alpha channel never makes foreground; fully transparent pixels are background.
    picture: where given and it carries an EXIF quarter turn, a mask drawn on the unturned pixels is turned with it.
    Raises UnreadableImageError, and UnknownClassError for a value that is no class.
    """
    turn_of_picture = _quarter_turn(reader, picture) if picture is not None else None
    with opened(reader, path) as stored:
        needed = _needed_bytes(reader, stored, size)
        with reader.budget.reserved(needed):
            stored.image.load()
            turn = orientation(stored.image)  # after load, which turns TIFF pictures by itself
            numbers, unlisted = _numbers(stored.image, classes) if classes.listed else (_foreground(stored.image), [])
            if turn not in range(2, 9) and turn_of_picture is not None and turn_of_picture.fits(numbers.shape[::-1]):
                turn = turn_of_picture.turn
            scaled: Mask = np.array(Image.fromarray(turned(numbers, turn)).resize(size[::-1], Image.Resampling.NEAREST))
    if unlisted:
        raise UnknownClassError(path, unlisted)
    return scaled


class _QuarterTurn(NamedTuple):
    """The quarter turn of a picture by EXIF, and the (width, height) that it is stored with."""

    turn: int
    stored_size: tuple[int, int]

    def fits(self, mask_size: tuple[int, ...]) -> bool:
        """Whether a mask has the shape of the unturned pixels: tools that ignore EXIF save such masks."""
        return mask_size[0] * self.stored_size[1] == mask_size[1] * self.stored_size[0]


def _quarter_turn(reader: PictureReader, picture: Path) -> _QuarterTurn | None:
    """None if a mask's shape tells nothing: without a quarter turn, and for square pictures."""
    with opened(reader, picture) as stored:
        turn, (width, height) = stored_turn(reader, stored), stored.full_size
    return _QuarterTurn(turn, (width, height)) if turn in TURNS_THAT_SWAP_SIDES and width != height else None


def mask_bytes(reader: PictureReader, path: Path, size: tuple[int, int]) -> int:
    """The bytes that read_mask would reserve, according to the header. Raises UnreadableImageError."""
    with opened(reader, path) as stored:
        return _needed_bytes(reader, stored, size)


def _needed_bytes(reader: PictureReader, stored: OpenPicture, size: tuple[int, int]) -> int:
    """The bytes for decoding, reading the values, turning and scaling. Raises RefusedFileError if they are too many."""
    pixels = stored.image.width * stored.image.height
    working = 2 * pixels + min(pixels, BAND_PIXELS) * BAND_BYTES_OF_PIXEL + 2 * size[0] * size[1]
    refuse_too_large(reader, stored, stored.load_bytes + working)
    return stored.load_bytes + working


def _foreground(image: Image.Image) -> Mask:
    """uint8 (h, w) of 0 and 1 from the values as stored."""
    threshold: Any = 0
    if image.format in _LOSSY:
        threshold = max(_strongest(band).max() for _, band in bands(image)) / 2
    has_alpha = _has_alpha(image)
    mask = np.empty((image.height, image.width), np.uint8)
    for first_row, band in bands(image):
        mask[first_row : first_row + band.height] = (_strongest(band) > threshold) & ~_transparent(band, has_alpha)
    return mask


def _strongest(band: Image.Image) -> Any:
    """The largest channel of each pixel (h, w)."""
    return _values(band.convert("RGB") if band.mode in _NOT_BLACK_AT_ZERO else band).max(axis=-1)


def _numbers(image: Image.Image, classes: MaskClasses) -> tuple[Mask, list[float]]:
    """uint8 (h, w) of class numbers and UNLABELLED from the values as stored; and the values that are neither."""
    if image.format in _LOSSY:
        raise RefusedFileError("JPEG blurs class numbers; save the mask as PNG")
    has_alpha = _has_alpha(image)
    mask = np.empty((image.height, image.width), np.uint8)
    unlisted: set[float] = set()
    for first_row, band in bands(image):
        values = _values(band)
        if image.mode in _NOT_BLACK_AT_ZERO or (values != values[..., :1]).any():
            raise RefusedFileError(
                "a colour mask; with classes.txt a mask holds class numbers, as palette indexes or grey values"
            )
        numbers = np.where(_transparent(band, has_alpha), 0, values[..., 0])
        unlisted.update(unlisted_values(numbers, classes))
        if len(unlisted) > _MOST_VALUES:
            break
        if not unlisted:
            mask[first_row : first_row + band.height] = numbers
    return mask, sorted(unlisted)


def _values(band: Image.Image) -> Any:
    """The values (h, w, channels) without alpha, palettes as indexes."""
    pixels = np.asarray(band)
    if pixels.ndim == 2:
        return pixels[..., np.newaxis]
    return pixels[..., :-1] if band.mode in _WITH_ALPHA else pixels


def _has_alpha(image: Image.Image) -> bool:
    """Whether the mask has an alpha channel that counts. One of zeros only was saved by mistake and does not."""
    return image.mode in _WITH_ALPHA and any(bool(np.asarray(band)[..., -1].any()) for _, band in bands(image))


def _transparent(band: Image.Image, has_alpha: bool) -> Any:
    """Where pixels are fully transparent (h, w)."""
    return np.asarray(band)[..., -1] == 0 if has_alpha else np.zeros((band.height, band.width), bool)
