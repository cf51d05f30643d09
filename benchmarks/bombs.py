"""Files that are small on disk and large in memory, or that state a wrong size."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

#: This many rows of a PNG are compressed at a time.
_ROWS = 100


def png(path: Path, width: int, height: int, kind: tuple[int, ...], *around: bytes) -> None:
    """Write a PNG of zeros, row by row.

    kind: bits, colour type, and 1 if it is interlaced. around: the chunks before the pixels, and those after them.
    """
    bits, colour, interlaced = (*kind, 0)[:3]
    before, after = (*around, b"", b"")[:2]
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = b"\0" * (1 + (width * channels * bits + 7) // 8)
    packer = zlib.compressobj(9)
    rows = height + height // 4 * interlaced  # a few more zeros than an interlaced PNG needs
    packed = b"".join(packer.compress(row * min(_ROWS, rows - at)) for at in range(0, rows, _ROWS))
    with path.open("wb") as file:
        head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head))
        file.write(chunk(b"PLTE", bytes(range(256)) * 3) if colour == 3 else b"")
        file.write(before + chunk(b"IDAT", packed + packer.flush()) + after + chunk(b"IEND", b""))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def saved(width: int, height: int, mode: str, name: str, **options: object) -> Callable[[Path], None]:
    """A function that saves a picture of one colour with Pillow."""

    def make(path: Path) -> None:
        Image.new(mode, (width, height), 0).save(path, name, **options)

    return make


def _large_exif_png(path: Path) -> None:
    png(path, 500, 500, (8, 2), b"", chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\0" + bytes(200 * 1024**2)))


def _late_transparency_png(path: Path) -> None:
    """A PNG whose transparent colour follows the pixels, so the header does not mention it."""
    png(path, 7_500, 7_500, (8, 2), b"", chunk(b"tRNS", bytes(6)))


def _text_png(path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    for number in range(100):
        text.add_text(f"k{number}", "x" * 1_000_000, zip=True)
    Image.new("L", (100, 100)).save(path, "PNG", pnginfo=text)


def _profile_png(path: Path) -> None:
    profile = b"icc\0\0" + zlib.compress(bytes(300 * 1024**2), 9)
    png(path, 100, 100, (8, 2), chunk(b"iCCP", profile))


def _large_header_jpeg(path: Path) -> None:
    file = io.BytesIO()
    Image.new("RGB", (100, 100)).save(file, "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", 65_535) + b"Exif\0\0" + bytes(65_527)
    path.write_bytes(b"\xff\xd8" + segment * 4_000 + file.getvalue()[2:])


def _scans_jpeg(path: Path) -> None:
    """A JPEG that is not progressive but has each colour in a scan of its own, which takes as much memory."""
    file = io.BytesIO()
    Image.new("L", (9_000, 9_000)).save(file, "JPEG")
    head, frame, rest = re.split(rb"(\xff\xc0.{11})", file.getvalue(), maxsplit=1, flags=re.DOTALL)
    tables, scan = rest.split(b"\xff\xda", 1)
    pixels = scan[8:-2]
    colours = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    scans = b"".join(b"\xff\xda\0\x08\x01" + bytes([number, 0, 0, 63, 0]) + pixels for number in (1, 2, 3))
    path.write_bytes(head + b"\xff\xc0\0\x11" + frame[4:9] + b"\x03" + colours + tables + scans + b"\xff\xd9")


def _icon(path: Path) -> None:
    """An icon whose list says 16 x 16, while the picture inside has 81 megapixels."""
    png(path, 9_000, 9_000, (8, 6))
    content = path.read_bytes()
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(content), 22)
    path.write_bytes(struct.pack("<HHH", 0, 1, 1) + entry + content)


def _far_strips_tiff(path: Path) -> None:
    """A raw TIFF with two strips 400 MB apart. Pillow reads everything between them at once."""
    width, rows, away = 400, 200, 400 * 1024**2
    strip = width * rows
    tags = {256: width, 257: 2 * rows, 258: 8, 259: 1, 262: 1, 277: 1, 278: rows}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    offsets = struct.pack("<HHII", 273, 4, 2, 200) + struct.pack("<HHII", 279, 4, 2, 208)
    listed = sorted([entries[at : at + 12] for at in range(0, len(entries), 12)] + [offsets[:12], offsets[12:]])
    listed.sort(key=lambda entry: struct.unpack("<H", entry[:2]))
    head = struct.pack("<2sHIH", b"II", 42, 8, len(listed)) + b"".join(listed) + bytes(4)
    with path.open("wb") as file:
        file.write(head.ljust(200, b"\0") + struct.pack("<IIII", 300, away, strip, strip))
        file.truncate(away + strip)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"\xff\xd8\xff")
        file.truncate(8 * 1024**4)


def _lying_ppm(path: Path) -> None:
    path.write_bytes(b"P6 9999 9999 255\n" + bytes(1000))


def _lying_sgi(path: Path) -> None:
    path.write_bytes(struct.pack(">HBBHHHH", 474, 1, 1, 3, 9_900, 9_900, 3).ljust(1000, b"\0"))


def _lying_bmp(path: Path) -> None:
    sizes = struct.pack("<IiiHHIIiiII", 40, 9_900, 9_900, 1, 8, 1, 0, 0, 0, 0, 0)  # run-length encoded, with few runs
    path.write_bytes(struct.pack("<2sIHHI", b"BM", 2_000, 0, 0, 1_078) + sizes + bytes(1_024) + b"\xff\x01" * 400)


def _lying_psd(path: Path) -> None:
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 9_900, 9_900, 8, 3)
    path.write_bytes(head + bytes(12) + b"\0\0" + bytes(1_000))


def _lying_dds(path: Path) -> None:
    Image.new("RGBA", (64, 64)).save(path, "DDS", pixel_format="DXT5")
    content = path.read_bytes()
    path.write_bytes(content[:12] + struct.pack("<II", 9_900, 9_900) + content[20:])


def _animated_png(path: Path) -> None:
    frames = [Image.new("RGBA", (6_000, 6_000), (colour, 0, 0, 9)) for colour in range(3)]
    frames[0].save(path, "PNG", save_all=True, append_images=frames[1:])


def _animated_gif(path: Path) -> None:
    frames = [Image.new("P", (9_000, 9_000), colour) for colour in range(3)]
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:], transparency=0)


def _animated_webp(path: Path) -> None:
    frames = [Image.new("RGBA", (7_000, 7_000), (colour, 0, 0, 9)) for colour in range(2)]
    frames[0].save(path, "WEBP", save_all=True, append_images=frames[1:], method=0, lossless=True)


def _pages_tiff(path: Path) -> None:
    pages = [Image.fromarray(np.zeros((3_000, 3_000), np.uint8)) for _ in range(20)]
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_deflate")


#: The functions that make the files, by name. Each file is written in a few seconds and is small on disk.
BOMBS: dict[str, Callable[[Path], None]] = {
    "16-bit grey PNG, 100 MP": lambda path: png(path, 10_000, 10_000, (16, 0)),
    "8-bit grey PNG, 100 MP": lambda path: png(path, 10_000, 10_000, (8, 0)),
    "1-bit PNG, 100 MP": lambda path: png(path, 10_000, 10_000, (1, 0)),
    "palette PNG, 100 MP": lambda path: png(path, 10_000, 10_000, (8, 3)),
    "grey and alpha PNG, 56 MP": lambda path: png(path, 7_500, 7_500, (8, 4)),
    "RGB PNG, 56 MP": lambda path: png(path, 7_500, 7_500, (8, 2)),
    "RGBA PNG, 56 MP": lambda path: png(path, 7_500, 7_500, (8, 6)),
    "interlaced RGB PNG, 56 MP": lambda path: png(path, 7_500, 7_500, (8, 2, 1)),
    "PNG, 3 frames of 36 MP": _animated_png,
    "RGBA PNG, 100 MP": lambda path: png(path, 10_000, 10_000, (8, 6)),
    "grey PNG, one row of 90 MP": lambda path: png(path, 90_000_000, 1, (8, 0)),
    "PNG, transparency at its end": _late_transparency_png,
    "PNG, EXIF of 200 MB at its end": _large_exif_png,
    "PNG, 100 MB of packed text": _text_png,
    "PNG, packed profile of 300 MB": _profile_png,
    "JPEG, 98 MP": saved(9_900, 9_900, "RGB", "JPEG"),
    "progressive JPEG, 98 MP": saved(9_900, 9_900, "RGB", "JPEG", progressive=True, subsampling=0),
    "JPEG in several scans, 81 MP": _scans_jpeg,
    "JPEG, header of 260 MB": _large_header_jpeg,
    "TIFF, float grey, 49 MP": saved(7_000, 7_000, "F", "TIFF", compression="tiff_deflate"),
    "TIFF, one strip, 64 MP": saved(8_000, 8_000, "RGB", "TIFF", compression="tiff_deflate", strip_size=2**30),
    "TIFF, 20 pages of 9 MP": _pages_tiff,
    "TIFF, strips 400 MB apart": _far_strips_tiff,
    "GIF, 3 frames of 81 MP": _animated_gif,
    "WebP, 2 frames of 49 MP": _animated_webp,
    "JPEG 2000, 36 MP": saved(6_000, 6_000, "RGB", "JPEG2000"),
    "AVIF, 36 MP": saved(6_000, 6_000, "RGB", "AVIF", speed=10),
    "icon with 81 MP inside": _icon,
    "SGI, 98 MP by its header": _lying_sgi,
    "PPM, 100 MP by its header": _lying_ppm,
    "BMP, 98 MP by its header": _lying_bmp,
    "PSD, 98 MP by its header": _lying_psd,
    "DDS, 98 MP by its header": _lying_dds,
    "JPEG of 8 TB, sparse": _sparse,
}
