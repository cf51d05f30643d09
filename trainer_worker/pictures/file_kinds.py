"""Tells from its first bytes what a file is that Pillow can't read as a picture, in words for the person who sent it.

Also what Pillow would read, but not as the person means it: of a raw photo it reads the small preview.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from PIL import Image

#: How many of a file's first bytes are needed.
START_BYTES = 512

_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1"}
)
_HEIC = (
    "it is a HEIC photo, as iPhones take them, and HEIC is not read; save it as JPEG (on an iPhone: Settings, Camera, "
    "Formats, Most Compatible)"
)
_JPEG_XL = "it is a JPEG XL picture, and that format is not read; save it as JPEG or PNG"
_RAW = "it is a raw photo of a camera, and those are not read; develop it, and save it as JPEG or PNG"
_NO_PICTURE = "it is {}, not a picture"

#: First bytes, and what such a file is.
_STARTS = (
    (b"\xff\x0a", _JPEG_XL),
    (b"\x00\x00\x00\x0cJXL \x0d\x0a\x87\x0a", _JPEG_XL),
    (b"FUJIFILMCCD-RAW", _RAW),
    (b"IIRO", _RAW),
    (b"IIRS", _RAW),
    (b"IIU\x00", _RAW),
    (b"FOVb", _RAW),
    (b"%PDF", _NO_PICTURE.format("a PDF document") + "; save its pages as pictures"),
    (b"8BPS", "it is a Photoshop file of a kind that is not read; save it as PNG"),
    (b"PK\x03\x04", _NO_PICTURE.format("a zip archive or an office document")),
    (b"Rar!", _NO_PICTURE.format("a rar archive")),
    (b"7z\xbc\xaf\x27\x1c", _NO_PICTURE.format("a 7z archive")),
    (b"\x1f\x8b", _NO_PICTURE.format("a gz archive")),
    (b"\x1aE\xdf\xa3", _NO_PICTURE.format("a film")),
    (b"\x89HDF", _NO_PICTURE.format("an HDF5 file")),
    (b"\x93NUMPY", "it is a NumPy array; pictures are saved as PNG or JPEG (only masks may be arrays)"),
    (b"book\0\0\0\0mark", _NO_PICTURE.format("an alias of a Mac") + "; put the file itself here"),
    (b"version https://git-lfs", _NO_PICTURE.format("a pointer of Git LFS") + "; run git lfs pull"),
)
#: Words near the beginning of a text, and what such a text is.
_TEXTS = (
    (b"<svg", "it is an SVG drawing, and those are not read; save it as PNG"),
    (b"<!doctype html", _NO_PICTURE.format("a web page") + "; download the picture again"),
    (b"<html", _NO_PICTURE.format("a web page") + "; download the picture again"),
    (b"<?xml", _NO_PICTURE.format("an XML text")),
    (b'{"', _NO_PICTURE.format("a JSON text")),
)
_DNG_VERSION = 50706
_BITS, _SAMPLES = 258, 277
_MOST_TIFF_TAGS = 200
#: Raw photos that are TIFF files in their form. Pillow finds the preview in them.
_RAW_TIFF_SUFFIXES = frozenset({".dng", ".cr2", ".nef", ".nrw", ".arw", ".sr2", ".pef", ".srw", ".3fr", ".iiq", ".erf"})


def kind_of(start: bytes, name: str) -> str:
    """Why a file with these first bytes and this name is not read, in words; "" if nothing is known."""
    if start[4:8] == b"ftyp":
        return _of_container(start)
    for beginning, reason in _STARTS:
        if start.startswith(beginning):
            return reason
    if _is_tiff(start) and _has_raw_name(name):
        return _RAW
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text[:1] in (b"<", b"{"):
        return next((reason for words, reason in _TEXTS if words in text), "")
    return ""


def _of_container(start: bytes) -> str:
    """What a file of the family of MP4 is: a photo, a film or a raw photo, told by its brands."""
    length = int.from_bytes(start[:4], "big")
    brands = {start[at : at + 4] for at in (8, *range(16, min(max(length, 16), len(start)), 4))}
    if b"avif" in brands or b"avis" in brands:
        return ""
    if brands & _HEIF_BRANDS:
        return _HEIC
    return _RAW if b"crx " in brands else _NO_PICTURE.format("a film")


def _is_tiff(start: bytes) -> bool:
    return start[:4] in (b"II*\x00", b"MM\x00*")


def _has_raw_name(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in _RAW_TIFF_SUFFIXES  # noqa: PTH122 - a name


def misread_kind(image: Image.Image, name: str) -> str:
    """Why a TIFF that Pillow opens would not be read as it is meant, in words; "" if it would."""
    if image.format != "TIFF":
        return ""
    tags = image.tag_v2  # type: ignore[attr-defined]
    return _RAW if _DNG_VERSION in tags or _has_raw_name(name) else ""


def unread_tiff(file: BinaryIO) -> str:
    """What a TIFF that Pillow doesn't open has, in words; "" for other files. Changes the file's position."""
    file.seek(0)
    head = file.read(8)
    if not _is_tiff(head):
        return ""
    order = "<" if head[:2] == b"II" else ">"
    file.seek(struct.unpack(f"{order}I", head[4:].ljust(4, b"\0"))[0])
    (count,) = struct.unpack(f"{order}H", file.read(2).ljust(2, b"\0"))
    entries = [file.read(12) for _ in range(min(count, _MOST_TIFF_TAGS))]
    found = {struct.unpack(f"{order}H", entry[:2])[0]: entry for entry in entries if len(entry) == 12}
    if _BITS not in found or _SAMPLES not in found:
        return "it is a TIFF whose beginning is damaged, or a kind of TIFF that is not read; save it as PNG"
    (samples,) = struct.unpack(f"{order}H", found[_SAMPLES][8:10])
    number, place = struct.unpack(f"{order}II", found[_BITS][4:])
    bits = struct.unpack(f"{order}H", found[_BITS][8:10])[0]
    if number > 2:  # the values lie elsewhere
        file.seek(place)
        bits = struct.unpack(f"{order}H", file.read(2).ljust(2, b"\0"))[0]
    channels = "a channel" if samples == 1 else f"{samples} channels"
    return f"it is a TIFF with {bits} bits for {channels}, and that kind is not read; save it as PNG"
