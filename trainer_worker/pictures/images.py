"""Reads pictures from a user's folder as RGB arrays. What Pillow cannot read becomes an error with a plain reason."""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, PngImagePlugin, UnidentifiedImageError

from protocol.errors import TrainingError
from trainer_worker.pictures.decoding_budget import DecodingBudget
from trainer_worker.pictures.file_kinds import START_BYTES, kind_of, misread_kind, unread_tiff
from trainer_worker.pictures.flattening import (
    BAND_BYTES_OF_PIXEL,
    BAND_PIXELS,
    OWN_RANGES,
    GreyScale,
    as_array,
    flat_mode,
    flatten,
    is_flat,
)
from trainer_worker.pictures.footprints import decoder_bytes, picture_bytes
from trainer_worker.pictures.picture_file import (
    MOST_HEADER_BYTES,
    LargePictureFile,
    buffered,
    refuse_hidden_pictures,
    refuse_large_extras,
    refuse_understated_avif,
    tells_turn_late,
)
from trainer_worker.pictures.user_files import RefusedFileError, UserFiles

#: A picture whose header claims more pixels than this is refused before any of them is decoded.
MAX_PIXELS = 100_000_000

#: A picture that is too large to be scaled in one step is first reduced by a whole number, but to no less than this
#: many times the wanted size, so that the smooth final step hides the coarse first one.
REDUCED_SIZES = 2

Pixels = npt.NDArray[np.uint8]

#: A part of a picture: left, top, right, bottom, as shares (0 to 1) of its width and height.
Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

# Pillow finds its decoders on first use, which is not safe in several threads, so it is done here. It also warns about
# every odd file (broken EXIF, trailing bytes), which would fill the worker's log.
Image.init()
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # for more than twice as many Pillow raises before it makes a decoder
PngImagePlugin.MAX_TEXT_MEMORY = MOST_HEADER_BYTES
warnings.filterwarnings("ignore", module=r"PIL\..*")
logging.getLogger("PIL").setLevel(logging.CRITICAL)

#: Formats that hold programs or other pictures, so their headers say nothing about what is decoded.
_REFUSED_FORMATS = {
    "EPS": "EPS drawings",  # would start Ghostscript to run the file as a program
    "WMF": "WMF and EMF drawings",
    "ICNS": "Mac icons",
    "IPTC": "IPTC records",
    "BLP": "BLP textures",
}

#: Texts of a PNG in which programs put EXIF or XMP.
_TURN_TEXTS = frozenset({"Raw profile type exif", "XML:com.adobe.xmp", "xmp"})
TURNS_THAT_SWAP_SIDES = frozenset({5, 6, 7, 8})


class UnreadableImageError(Exception):
    """A file that can't be used as a picture. `reason` is a short sentence for the person who sent it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path.name}: {reason}")
        self.path = path
        self.reason = reason


def picture_changed(error: UnreadableImageError) -> TrainingError:
    """The error for a picture that can no longer be read, although it could be earlier in the same training."""
    return TrainingError(
        "too_few_images",
        f"A picture was changed during the training, and can't be read any more: {error}. "
        "Leave the folder as it is until the training has ended, and post the task again.",
    )


@dataclass(frozen=True)
class PictureReader:
    """What is needed to read pictures: the project's files, and the memory budget that all threads share.

    grey: the scale of grey values of more than 8 bits, one for a whole set (grey_scale.py).
    """

    files: UserFiles
    budget: DecodingBudget = field(default_factory=DecodingBudget)
    grey: GreyScale = OWN_RANGES


class OpenPicture(NamedTuple):
    """A picture whose header has been read. full_size: (width, height) as stored."""

    image: Image.Image
    file: io.BufferedReader
    full_size: tuple[int, int]

    @property
    def load_bytes(self) -> int:
        """The memory that Pillow takes to decode the picture."""
        return picture_bytes(self.image) + decoder_bytes(self.image, self.full_size, self.file)


def image_size(reader: PictureReader, path: Path) -> tuple[int, int]:
    """(height, width) in pixels, after applying the EXIF orientation.

    Read from the header (a PNG is decoded if its EXIF block comes last). Raises UnreadableImageError.
    """
    with opened(reader, path) as picture:
        width, height = picture.full_size
        turn = stored_turn(reader, picture)
    # Pillow already gives the size of a TIFF after turning it.
    return (width, height) if turn in TURNS_THAT_SWAP_SIDES else (height, width)


def stored_turn(reader: PictureReader, picture: OpenPicture) -> int:
    """The EXIF orientation, by the header; 1 for a TIFF, which Pillow turns by itself. Raises RefusedFileError."""
    if picture.image.format == "TIFF":
        return 1
    if picture.image.format != "PNG" or "exif" in picture.image.info:
        return orientation(picture.image)
    if not _TURN_TEXTS & picture.image.info.keys() and not tells_turn_late(picture.file):
        return 1
    needed = picture.load_bytes
    refuse_too_large(reader, picture.full_size, needed)
    with reader.budget.reserved(needed):
        return orientation(picture.image)


def read_rgb(reader: PictureReader, path: Path, size: tuple[int, int] | None = None, box: Box = WHOLE) -> Pixels:
    """Decode a picture to uint8 (height, width, 3).

    size: (height, width) to scale the picture to, smoothed when it shrinks; None keeps its own size.
    box: the part to take, as the file stores it (before EXIF turns it); only with a size.
    Of an animation or a file with several pages, the first frame is read. The EXIF orientation is applied, transparency
    is laid on white, CMYK is converted, and grey values of more than 8 bits are scaled to 8 bits. Several threads may
    call this at once; each waits for its share of the memory. Raises UnreadableImageError.
    """
    with opened(reader, path) as picture:
        image, plan = picture.image, _plan(reader, picture, size, box)
        with reader.budget.reserved(plan.loading_bytes + plan.converting_bytes):
            image.load()
            # Data after the pixels, such as a transparent colour, may change the picture's mode and so its memory.
            refuse_too_large(
                reader, picture.full_size, plan.loading_bytes + _converting_bytes(image, size, plan.factor)
            )
            turn = orientation(image)  # after load, which turns TIFF pictures by itself and clears the tag
            across, down = image.width / plan.factor, image.height / plan.factor
            flat = flatten(image, plan.factor, reader.grey)
            if size is not None:
                wanted = size[::-1] if turn not in TURNS_THAT_SWAP_SIDES else size
                if flat.size != wanted or box != WHOLE:
                    part = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
                    flat = flat.resize(wanted, Image.Resampling.BILINEAR, box=part)
            return turned(as_array(flat), turn)


def rgb_bytes(reader: PictureReader, path: Path, size: tuple[int, int]) -> int:
    """The bytes that read_rgb would reserve, according to the header. Raises UnreadableImageError."""
    with opened(reader, path) as picture:
        plan = _plan(reader, picture, size, WHOLE)
        return plan.loading_bytes + plan.converting_bytes


class _Plan(NamedTuple):
    """How a picture is read, and the memory for that. factor: by how much it is reduced before it is scaled."""

    factor: int
    loading_bytes: int
    converting_bytes: int


def _plan(reader: PictureReader, picture: OpenPicture, size: tuple[int, int] | None, box: Box) -> _Plan:
    """Plan how to read a picture, and set the reduced size that a JPEG is decoded at.

    Raises RefusedFileError for a picture that takes more than the memory for one picture.
    """
    image = picture.image
    factor = 1
    if size is not None:
        # Faster than decoding the whole picture (docs/choices.md, "JPEG is decoded at a reduced size"). The larger side
        # of `size` is asked for along both sides, because EXIF may still swap them.
        least = math.ceil(max(size) / min(box[2] - box[0], box[3] - box[1]))
        image.draft(None, (least, least))
    loading, converting = picture.load_bytes, _converting_bytes(image, size, 1)
    if size is not None and loading + converting > reader.budget.most_bytes:
        shorter = min(image.width * (box[2] - box[0]), image.height * (box[3] - box[1]))
        factor = max(1, int(shorter // (REDUCED_SIZES * max(size))))
        converting = _converting_bytes(image, size, factor)
    refuse_too_large(reader, picture.full_size, loading + converting)
    return _Plan(factor, loading, converting)


def _converting_bytes(image: Image.Image, size: tuple[int, int] | None, factor: int) -> int:
    """The memory that flattening, scaling and the result take, besides the decoded picture."""
    pixels = image.width * image.height
    of_flat = 1 if flat_mode(image) == "L" else 4
    flat = 0 if is_flat(image) and factor == 1 else pixels // factor**2 * of_flat
    flat += min(pixels, BAND_PIXELS) * BAND_BYTES_OF_PIXEL
    if size is None or (size in (image.size, image.size[::-1]) and factor == 1):
        return flat + 3 * pixels
    halfway = max(size) * max(image.size) // factor * of_flat  # one side is scaled before the other
    weights = 16 * (image.width + image.height) // factor
    return flat + halfway + weights + size[0] * size[1] * (3 + of_flat)


def turned(pixels: npt.NDArray[np.uint8], turn: int) -> npt.NDArray[np.uint8]:
    """The pixels (h, w) or (h, w, channels) turned by the EXIF orientation: a view, which takes no memory."""
    if turn in (5, 7):
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 7):
        return pixels[::-1, ::-1]
    if turn in (6, 8):
        return np.rot90(pixels, -1 if turn == 6 else 1)
    if turn in (2, 4):
        return pixels[:, ::-1] if turn == 2 else pixels[::-1]
    return pixels


def refuse_too_large(reader: PictureReader, full_size: tuple[int, int], needed: int) -> None:
    """Raise RefusedFileError if that many bytes are more than one picture may take."""
    most = reader.budget.most_bytes
    if needed <= most:
        return
    megapixels = full_size[0] * full_size[1] / 1e6
    possible = megapixels * most / needed
    wanted = f" (at most {possible:.1f} megapixels in this format)" if possible > 1 else ""
    raise RefusedFileError(
        f"it has {megapixels:.1f} megapixels, and decoding it takes {needed // 1024**2:,} MB of memory, but a picture "
        f"may take at most {most // 1024**2} MB; save it smaller{wanted}, or as a JPEG that is not progressive"
    )


@contextlib.contextmanager
def opened(reader: PictureReader, path: Path) -> Iterator[OpenPicture]:
    """Open a picture and read its header. Every error, also one in the block, becomes an UnreadableImageError."""
    start = b"?"
    try:
        # Opened here and not by Pillow: it maps an uncompressed TIFF that it opens by name into memory, and then
        # scrambles the pixels if the EXIF orientation is a quarter turn.
        with buffered(reader.files.open(path)) as file:
            start = file.peek(START_BYTES)[:START_BYTES]
            refuse_hidden_pictures(file, reader.budget.most_bytes)
            with _identified(file, start, path.name) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                if image.format in _REFUSED_FORMATS:
                    raise RefusedFileError(f"{_REFUSED_FORMATS[image.format]} are not supported; save it as PNG")
                if reason := misread_kind(image, path.name):
                    raise RefusedFileError(reason)
                if image.format == "AVIF":
                    refuse_understated_avif(file, image.width * image.height)
                refuse_large_extras(image, file)
                if isinstance(file, LargePictureFile):
                    file.header_is_read()
                yield OpenPicture(image, file, image.size)
    except (MemoryError, UnreadableImageError):
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on broken files
        raise UnreadableImageError(path, _reason(error, start, path.name)) from error


def _identified(file: io.BufferedReader, start: bytes, name: str) -> Image.Image:
    try:
        return Image.open(file)
    except UnidentifiedImageError:
        if reason := kind_of(start, name) or unread_tiff(file):
            raise RefusedFileError(reason) from None
        raise


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 if there is none or it cannot be read."""
    if image.format == "JPEG" and not {"exif", "xmp"} & image.info.keys():
        return 1  # for a small photo, the search for a tag that is not there takes long
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except MemoryError:
        raise
    except OSError:
        raise  # a PNG's EXIF block may come last, and reading up to it found the picture damaged
    except Exception:
        return 1  # a broken EXIF block says nothing about the pixels


def _reason(error: Exception, start: bytes, name: str) -> str:
    if isinstance(error, RefusedFileError):
        return error.reason
    if isinstance(error, Image.DecompressionBombError):
        return f"it claims to have more than {MAX_PIXELS // 1_000_000} megapixels, which is the limit; save it smaller"
    if isinstance(error, OSError) and error.errno in (errno.EIO, errno.EMFILE, errno.ESTALE):
        return f"the file can't be read ({os.strerror(error.errno)})"
    if not start:
        return "the file is empty"
    if reason := kind_of(start, name):
        return reason
    if isinstance(error, UnidentifiedImageError):
        return "the file is not a picture of a known format, or its beginning is damaged"
    return f"the picture is damaged or cut off ({str(error) or type(error).__name__})"
