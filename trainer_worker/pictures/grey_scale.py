"""One scale for all pictures of a set whose grey values have more than 8 bits.

A scale chosen file by file would read a dim picture brighter than a bright one. So the brightest value of the whole set
decides which value becomes white, and the app that uses the model has to take the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from trainer_worker.pictures.flattening import (
    BAND_BYTES_OF_PIXEL,
    BAND_PIXELS,
    GreyScale,
    brightest,
    is_deep,
    is_float,
    white_for,
)
from trainer_worker.pictures.images import PictureReader, UnreadableImageError, opened, refuse_too_large
from trainer_worker.pictures.user_files import RefusedFileError

_BATCH = 64
_PNG_START = b"\x89PNG\r\n\x1a\n"
#: A PNG's bits for each channel and its colour type lie at these places; a type of 0 is grey.
_PNG_BITS_AT, _PNG_TYPE_AT, _HEAD_BYTES = 24, 25, 26
#: Pictures that begin so never have grey values of more than 8 bits: JPEG, GIF, WebP, BMP.
_EIGHT_BITS = (b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")


def with_grey_scale(
    reader: PictureReader, paths: Sequence[Path], threads: int, on_step: Callable[[], None]
) -> PictureReader:
    """The reader with the scale of these pictures. Only those of deep grey are decoded for that.

    on_step: called several times a second; an exception from it ends the search.
    """
    tops: list[tuple[bool, float]] = []
    with ThreadPoolExecutor(threads, thread_name_prefix="grey") as pool:
        for start in range(0, len(paths), _BATCH):
            found = pool.map(lambda path: _brightest_of(reader, path), paths[start : start + _BATCH])
            tops += [top for top in found if top is not None]
            on_step()
    white, of_floats = (
        max((top for floats, top in tops if floats is wanted), default=None) for wanted in (False, True)
    )
    scale = GreyScale(
        0.0 if white is None else white_for(white, floats=False),
        0.0 if of_floats is None else white_for(of_floats, floats=True),
    )
    return dataclasses.replace(reader, grey=scale)


def scale_of(facts: Mapping[str, Any]) -> GreyScale:
    """The scale with these GreyScale.facts."""
    return GreyScale(float(facts.get("white", 0.0)), float(facts.get("white_of_floats", 0.0)))


def _brightest_of(reader: PictureReader, path: Path) -> tuple[bool, float] | None:
    """Whether a picture of deep grey holds fractions, and its brightest value; None for any other file."""
    try:
        if not _may_be_deep(reader, path):
            return None
        with opened(reader, path) as picture:
            image = picture.image
            if not is_deep(image):
                return None
            pixels = image.width * image.height
            needed = picture.load_bytes + min(pixels, BAND_PIXELS) * BAND_BYTES_OF_PIXEL
            refuse_too_large(reader, picture.full_size, needed)
            with reader.budget.reserved(needed):
                image.load()
                return is_float(image), brightest(image)
    except (UnreadableImageError, RefusedFileError):
        return None  # The code that reads it for the training reports it.


def _may_be_deep(reader: PictureReader, path: Path) -> bool:
    """Whether a file may be of deep grey, by its first bytes. That is quicker than opening it with Pillow."""
    try:
        with reader.files.open(path) as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    if head.startswith(_PNG_START) and len(head) == _HEAD_BYTES:
        return head[_PNG_BITS_AT] == 16 and head[_PNG_TYPE_AT] == 0
    return not head.startswith(_EIGHT_BITS) and head[4:8] != b"ftyp"
