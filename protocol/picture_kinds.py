"""Which files are taken for pictures before anything decodes them: by extension and by first bytes."""

from __future__ import annotations

from protocol.litter import suffix_of

#: The kinds that trainings read and that people have. What Pillow reads beyond them is rare.
UPLOAD_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
#: How many of a file's first bytes are needed.
START_BYTES = 32
_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\x00", b"MM\x00*")
_AVIF_BRANDS = (b"avif", b"avis")


def has_picture_suffix(name: str) -> bool:
    return suffix_of(name) in UPLOAD_SUFFIXES


def starts_as_picture(start: bytes) -> bool:
    """Whether these are the first bytes of one of these kinds, whatever the file's name says."""
    if start[:4] == b"RIFF":
        return start[8:12] == b"WEBP"
    if start[4:8] == b"ftyp":
        return any(brand in start[8:START_BYTES] for brand in _AVIF_BRANDS)
    return start.startswith(_STARTS)
