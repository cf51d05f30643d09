"""The file object through which Pillow reads a user's picture. It limits what Pillow holds besides the pixels.

Pillow itself keeps a whole header (EXIF, colour profiles, comments) in memory, however long it is.
"""

from __future__ import annotations

import io
import os
import struct
from typing import BinaryIO

from PIL import Image

from trainer_worker.pictures.avif_size import UnusualAvifError, coded_pixels
from trainer_worker.pictures.user_files import RefusedFileError

#: The limit for a header, or for what a PNG has besides its pixels. Photos with a depth map or a film have a few MB.
MOST_HEADER_BYTES = 8 * 1024**2
#: The limit for a file that its decoder reads into memory whole (WebP, AVIF). Usual photos are less than half as large.
MOST_WHOLE_BYTES = 32 * 1024**2
#: An AVIF may hold the picture, its transparency and a map of its brightness in full size, and a small preview.
AVIF_PICTURES = 3
AVIF_EXTRA_PIXELS = 500_000

_PNG_START, _ICO_START = b"\x89PNG\r\n\x1a\n", b"\x00\x00\x01\x00"
#: The parts of a PNG that may tell how it is turned: EXIF, and texts that programs put EXIF or XMP into.
_TURN_CHUNKS = frozenset({b"eXIf", b"tEXt", b"zTXt", b"iTXt"})
#: A PNG of more parts is decoded to see how it is turned.
_MOST_CHUNKS = 100_000
#: An icon's picture is decoded when the file is opened, with an alpha channel and copies.
_ICON_BYTES_OF_PIXEL = 16


def buffered(file: io.FileIO) -> io.BufferedReader:
    """The file for Pillow. A small file has no large header, so Pillow's many small reads of it are not counted."""
    size_bytes = os.fstat(file.fileno()).st_size
    return io.BufferedReader(file) if size_bytes <= MOST_HEADER_BYTES else LargePictureFile(file, size_bytes)


class LargePictureFile(io.BufferedReader):
    """A file that refuses reads beyond MOST_HEADER_BYTES until `header_is_read` is called."""

    def __init__(self, file: io.FileIO, size_bytes: int) -> None:
        super().__init__(file)
        self.size_bytes = size_bytes
        self._left_bytes: int | None = MOST_HEADER_BYTES

    def header_is_read(self) -> None:
        self._left_bytes = None

    def raw_read(self, size: int) -> bytes:
        """Read without counting."""
        return super().read(size)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            if self.size_bytes > MOST_WHOLE_BYTES:
                has, most = self.size_bytes // 1024**2, MOST_WHOLE_BYTES // 1024**2
                raise RefusedFileError(f"it has {has:,} MB, but a picture of its format may have at most {most} MB")
            return super().read()
        if self._left_bytes is None:
            return super().read(size)
        data = super().read(min(size, self._left_bytes + 1))
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise too_much()
        return data


def too_much() -> RefusedFileError:
    return RefusedFileError(
        f"it carries more than {MOST_HEADER_BYTES // 1024**2} MB beside its pixels (EXIF, comments, profiles); "
        "save it without them"
    )


def refuse_large_extras(image: Image.Image, file: io.BufferedReader) -> None:
    """Add up what a PNG has besides its pixels, because Pillow reads it with them. Restores the file's position.

    Raises RefusedFileError when that is more than MOST_HEADER_BYTES.
    """
    if image.format != "PNG" or not isinstance(file, LargePictureFile):
        return
    position = file.tell()
    pixels = {b"IDAT", b"fdAT"} if getattr(image, "is_animated", False) else {b"IDAT"}
    extra, at = 0, len(_PNG_START)
    while at + 8 <= file.size_bytes:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.raw_read(8))
        at += 12 + length
        extra += 12 + (0 if kind in pixels else length)
        if kind == b"IEND":
            break
        if extra > MOST_HEADER_BYTES and at <= file.size_bytes:
            raise too_much()
    file.seek(position)


def tells_turn_late(file: io.BufferedReader) -> bool:
    """Whether a PNG may tell behind its pixels how it is turned, so that it has to be decoded to know.

    Restores the file's position.
    """
    position, at, behind_pixels = file.tell(), len(_PNG_START), False
    try:
        for _ in range(_MOST_CHUNKS):
            file.seek(at)
            head = file.read(8) if not isinstance(file, LargePictureFile) else file.raw_read(8)
            if len(head) < 8 or head[4:] == b"IEND":
                return False
            behind_pixels = behind_pixels or head[4:] == b"IDAT"
            if behind_pixels and head[4:] in _TURN_CHUNKS:
                return True
            at += 12 + int.from_bytes(head[:4], "big")
        return True
    finally:
        file.seek(position)


def refuse_hidden_pictures(file: io.BufferedReader, most_bytes: int) -> None:
    """Check the sizes of the pictures in an icon. Pillow decodes the first one when it opens the file, whatever size
    the icon's own list says it has. Raises RefusedFileError."""
    if file.peek(4)[:4] != _ICO_START:
        return
    _, count = struct.unpack("<4sH", file.read(6))
    entries = [file.read(16) for _ in range(min(count, 1000))]
    for entry in entries:
        if len(entry) < 16:
            break
        file.seek(int.from_bytes(entry[12:16], "little"))
        head = file.read(24)
        if head.startswith(_PNG_START) and len(head) == 24:
            width, height = struct.unpack(">II", head[16:24])
        else:
            width, height = (abs(side) for side in struct.unpack("<4xii", head[:12].ljust(12, b"\0")))
        if width * height * _ICON_BYTES_OF_PIXEL > most_bytes:
            raise RefusedFileError(f"it is an icon with a picture of {width} x {height} inside; save that as PNG")
    file.seek(0)


def refuse_understated_avif(file: BinaryIO, claimed_pixels: int) -> None:
    """Raise RefusedFileError for an AVIF whose pictures are larger than its container says. Restores the position."""
    at = file.tell()
    file.seek(0)
    try:
        held = coded_pixels(file.read())
    except UnusualAvifError as error:
        raise RefusedFileError(f"{error}, and such AVIF files are not read; save it as PNG or JPEG") from error
    finally:
        file.seek(at)
    if held > AVIF_PICTURES * claimed_pixels + AVIF_EXTRA_PIXELS:
        raise RefusedFileError(
            f"its header claims {claimed_pixels:,} pixels, but the pictures inside have {held:,}; save it again"
        )
