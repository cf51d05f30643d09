"""Estimates from a picture's header how much memory Pillow takes for it, before any pixel is decoded.

Every estimate is at least what a file of its kind took in `python -m benchmarks.decoding` (docs/choices.md, "Memory is
estimated before decoding").
"""

from __future__ import annotations

import itertools
import os
from typing import Any, BinaryIO

from PIL import Image

#: Bytes per pixel in Pillow's memory, by mode.
_BYTES_OF_MODE = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
_OTHER_MODES_BYTES = 4

#: What a decoder takes besides the picture: bytes per pixel, and how many copies of the file it holds.
_DECODERS = {"WEBP": (13.0, 2), "AVIF": (16.0, 2), "GIF": (1.0, 0), "SGI": (4.0, 2), "DDS": (8.0, 2)}
#: The decoder of JPEG 2000 holds each channel as integers, and its transform.
_JPEG2000_BYTES_OF_CHANNEL = 5.5
#: Decoders that write each row to its place and hold only this row and the one before.
_IN_PLACE = {"raw", "zip", "packbits", "pcx", "tga_rle", "xbm", "msp", "sun_rle", "bit"}
_ROWS_BYTES_OF_PIXEL = 16  # two rows, of up to four channels of 16 bits
_OTHER_DECODERS = (16.0, 2)

# TIFF's tags, and the compressions that need no more than a strip and its rows.
_COMPRESSION, _SAMPLES, _BITS, _ORIENTATION = 259, 277, 258, 274
_STRIP_ROWS, _STRIP_BYTES, _TILE_WIDTH, _TILE_ROWS, _TILE_BYTES = 278, 279, 322, 323, 325
_PLAIN_COMPRESSIONS = {1, 2, 3, 4, 5, 8, 32773, 32946}

_SMALL_JPEG_PIXELS = 1_000_000
# JPEG's markers: those without a length, and the one that begins a scan.
_NO_LENGTH = {0x01, 0xD8, *range(0xD0, 0xD8)}
_START_OF_SCAN = 0xDA


def picture_bytes(image: Image.Image) -> int:
    """The bytes of the decoded pixels as Pillow holds them."""
    return image.width * image.height * _BYTES_OF_MODE.get(image.mode, _OTHER_MODES_BYTES)


def decoder_bytes(image: Image.Image, full_size: tuple[int, int], file: BinaryIO) -> int:
    """The bytes that decoding takes besides picture_bytes.

    full_size: (width, height) as stored, before `draft` reduced it. The position of `file` may change; Pillow sets it
    again when it loads the picture.
    """
    pixels, file_bytes = full_size[0] * full_size[1], os.fstat(file.fileno()).st_size
    if image.format in ("JPEG", "MPO"):
        is_large = pixels > _SMALL_JPEG_PIXELS  # the markers of a small one are not worth reading
        return 0 if is_large and _has_one_scan(file) else _coefficients_bytes(image, pixels)
    if image.format == "TIFF":
        return _tiff_bytes(image, file_bytes) + _widest_gap_bytes(image)
    if image.format == "JPEG2000":
        return int(_JPEG2000_BYTES_OF_CHANNEL * len(image.getbands()) * pixels) + file_bytes
    of_pixel, copies = _DECODERS.get(image.format or "", _OTHER_DECODERS)
    tiles: list[Any] = getattr(image, "tile", [])
    if image.format not in _DECODERS and tiles and {tile[0] for tile in tiles} <= _IN_PLACE:
        return _widest_gap_bytes(image) + _ROWS_BYTES_OF_PIXEL * full_size[0]
    return int(of_pixel * pixels) + copies * file_bytes


def _widest_gap_bytes(image: Image.Image) -> int:
    """The memory for reading from one part of the pixels to the next. Pillow reads all of that at once and appends it
    to what it holds."""
    offsets = sorted(tile[2] for tile in getattr(image, "tile", []))
    return 2 * max((after - before for before, after in itertools.pairwise(offsets)), default=0)


def _coefficients_bytes(image: Image.Image, pixels: int) -> int:
    """The memory of a progressive JPEG, which is held as coefficients of two bytes until its last scan is read."""
    layers = [(across, down) for _, across, down, _ in getattr(image, "layer", [])]
    most = max((across for across, _ in layers), default=1) * max((down for _, down in layers), default=1)
    samples = sum(across * down for across, down in layers) / max(1, most) if layers else 4
    return int(2 * pixels * samples)


def _has_one_scan(file: BinaryIO) -> bool:
    """Whether the first scan of a JPEG has all of its components, and the JPEG is not progressive."""
    file.seek(0)
    components = 0
    while byte := file.read(1):
        if byte != b"\xff":
            continue
        while (byte := file.read(1)) == b"\xff":
            pass
        marker = byte[0] if byte else 0
        if marker == 0 or marker in _NO_LENGTH:
            continue
        length = int.from_bytes(file.read(2), "big")
        if marker == _START_OF_SCAN:
            return file.read(1) == bytes([components])
        if marker in (0xC0, 0xC1):
            components = (file.read(6) or b"\0")[-1]
            file.seek(length - 8, 1)
        elif 0xC2 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return False  # progressive, or a kind that the decoder refuses anyway
        else:
            file.seek(max(0, length - 2), 1)
    return False


def _tiff_bytes(image: Image.Image, file_bytes: int) -> int:
    """The memory of a compressed TIFF: its largest strip or tile unpacked, all packed ones, which are mapped, and a
    copy of the picture if Pillow turns it."""
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    turned = 0 if tags.get(_ORIENTATION, 1) == 1 else picture_bytes(image)
    if all(tile[0] == "raw" for tile in image.tile):  # type: ignore[attr-defined]
        return turned
    width = int(tags.get(_TILE_WIDTH, image.width))
    rows = int(tags.get(_TILE_ROWS, min(int(tags.get(_STRIP_ROWS, image.height)), image.height)))
    bits = max(tags.get(_BITS, (8,)))
    of_pixel = max(4, int(tags.get(_SAMPLES, 1)) * bits / 8)
    unpacked = width * rows * of_pixel
    if tags.get(_COMPRESSION, 1) not in _PLAIN_COMPRESSIONS:
        unpacked *= 4  # the strip or tile is a JPEG or WebP picture of its own
    packed = min(file_bytes, sum(tags.get(_STRIP_BYTES, ())) or sum(tags.get(_TILE_BYTES, ())) or file_bytes)
    return int(unpacked) + packed + turned
