"""Files with a picture's name that are none, or of a kind that is not read: the reason says what they are."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from tests.picture_reading import image_size, read_rgb
from trainer_worker.pictures.images import UnreadableImageError


def container(brand: bytes, *others: bytes) -> bytes:
    return struct.pack(">I", 16 + 4 * len(others)) + b"ftyp" + brand + bytes(4) + b"".join(others) + bytes(200)


def tiff_of(samples: int, bits: int) -> bytes:
    """A whole uncompressed TIFF of 4 x 4 pixels."""
    pixels = bytes(4 * 4 * samples * bits // 8)
    at = 8 + 2 + 12 * 9 + 4
    tags = [(256, 4), (257, 4), (258, None), (259, 1), (262, 2), (273, at + 2 * samples), (277, samples), (278, 4)]
    out = b"II*\0" + struct.pack("<IH", 8, 9)
    for tag, value in [*tags, (279, len(pixels))]:
        kind, count = (4, 1) if tag in (273, 279) else (3, samples if value is None else 1)
        out += struct.pack("<HHI", tag, kind, count)
        if value is None:
            out += struct.pack("<I", at) if samples > 2 else struct.pack("<HH", bits, bits)
        else:
            out += struct.pack("<I", value)
    return out + bytes(4) + struct.pack("<H", bits) * samples + pixels


FILES: dict[str, tuple[bytes, str]] = {
    "iphone.heic": (container(b"heic", b"mif1", b"heic"), "HEIC photo.*save it as JPEG"),
    "burst.heic": (container(b"hevx", b"msf1", b"hevx"), "HEIC photo"),
    "renamed.jpg": (container(b"mif1", b"heic"), "HEIC photo"),
    "new.jxl": (b"\xff\x0a" + bytes(200), "JPEG XL"),
    "boxed.jxl": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(200), "JPEG XL"),
    "raw.dng": (b"II*\0" + bytes(300), "raw photo"),
    "raw.CR2": (b"II*\0\x10\0\0\0CR\x02\0" + bytes(300), "raw photo"),
    "raw.cr3": (container(b"crx "), "raw photo"),
    "raw.raf": (b"FUJIFILMCCD-RAW 0201" + bytes(300), "raw photo"),
    "page.jpg": (b"<!DOCTYPE html><html>404 Not Found</html>", "web page"),
    "page.png": (b"\n\n<HTML><head>", "web page"),
    "drawing.png": (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "drawing.jpg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "scan.jpg": (b"%PDF-1.4", "PDF"),
    "film.jpg": (container(b"isom", b"mp42"), "film"),
    "sheet.png": (b"PK\x03\x04" + bytes(100), "zip archive"),
    "answer.jpg": (b'{"error": "not found"}', "JSON"),
    "pointer.jpg": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "two16.tif": (tiff_of(2, 16), "TIFF with 16 bits for 2 channels"),
    "rgb64.tif": (tiff_of(3, 64), "TIFF with 64 bits for 3 channels"),
    "cut.tif": (b"MM\0*\0\0\0\x08", "TIFF whose beginning is damaged"),
    "empty.jpg": (b"", "empty"),
    "text.jpg": (b"hello", "not a picture of a known format"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", FILES)
def test_the_reason_says_what_the_file_is(tmp_path: Path, name: str) -> None:
    content, words = FILES[name]
    (tmp_path / name).write_bytes(content)
    for read in (read_rgb, image_size):
        with pytest.raises(UnreadableImageError, match=words):
            read(tmp_path / name)


def test_the_small_preview_of_a_raw_photo_is_not_taken_for_the_photo(tmp_path: Path) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[50706] = b"\x01\x04\x00\x00"  # DNGVersion
    Image.new("RGB", (16, 12)).save(tmp_path / "photo.tif", tiffinfo=tags)
    with pytest.raises(UnreadableImageError, match="raw photo"):
        read_rgb(tmp_path / "photo.tif")
    Image.new("RGB", (16, 12)).save(tmp_path / "photo.nef", "TIFF")
    with pytest.raises(UnreadableImageError, match="raw photo"):
        read_rgb(tmp_path / "photo.nef")


def test_colour_of_16_bits_is_read_by_its_high_byte(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff_of(3, 16)[:-96] + np.full(48, 0x80FF, "<u2").tobytes())
    assert (read_rgb(tmp_path / "a.tif") == 0x80).all()


def test_an_avif_is_still_read(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), "red").save(tmp_path / "a.avif")
    assert np.abs(read_rgb(tmp_path / "a.avif").astype(int) - (255, 0, 0)).max() < 10


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("seed", range(20))
def test_damaged_tiffs_never_raise_anything_else(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    content = bytearray(tiff_of(3, 16))
    for at in random.integers(4, 130, 6):
        content[at] = int(random.integers(256))
    (tmp_path / "a.tif").write_bytes(content)
    with contextlib.suppress(UnreadableImageError):
        read_rgb(tmp_path / "a.tif")
