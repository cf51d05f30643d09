"""Reading pictures: every kind that a website's users send, real files where they are at hand, made ones always."""

from __future__ import annotations

import csv
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import ExifTags, Image
from sklearn.datasets import load_sample_images

from tests.picture_reading import image_size, read_rgb
from trainer_worker.pictures.images import UnreadableImageError

REPO = Path(__file__).resolve().parents[2]
AWKWARD = REPO.parent / "shared" / "data" / "awkward"

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def photo() -> Pixels:
    """A real photo, uint8 (427, 640, 3)."""
    pixels: Pixels = load_sample_images().images[0]
    return pixels


@pytest.fixture(scope="module")
def small(photo: Pixels) -> Image.Image:
    return Image.fromarray(photo).resize((60, 40))


def distance(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


def save(picture: Image.Image, path: Path, **options: Any) -> None:
    """Save with those of the options that mean something for the format."""
    names = {"quality": (".jpg",), "lossless": (".webp",)}
    picture.save(path, **{k: v for k, v in options.items() if path.suffix in names.get(k, (path.suffix,))})


# --- formats -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "jpg", "ppm", "gif"])
def test_formats_read_back_as_they_were_written(tmp_path: Path, small: Image.Image, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    save(small, path, lossless=True)
    pixels = read_rgb(path)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (40, 60, 3)
    assert distance(pixels, np.asarray(small)) <= {"jpg": 8.0, "gif": 12.0}.get(suffix, 0.0)


def test_the_content_decides_not_the_extension(tmp_path: Path, small: Image.Image) -> None:
    small.save(tmp_path / "a.webp", lossless=True)
    (tmp_path / "a.webp").rename(tmp_path / "really_a_webp.png")
    assert np.array_equal(read_rgb(tmp_path / "really_a_webp.png"), np.asarray(small))


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr"])
def test_colour_modes_become_rgb(tmp_path: Path, small: Image.Image, mode: str) -> None:
    path = tmp_path / ("a.tif" if mode in ("CMYK", "YCbCr") else "a.png")
    picture = small.convert(mode)
    picture.save(path)
    assert np.array_equal(read_rgb(path), np.asarray(picture.convert("RGB")))


def test_cmyk_jpeg_keeps_its_colours(tmp_path: Path, small: Image.Image) -> None:
    small.convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert distance(read_rgb(tmp_path / "a.jpg"), np.asarray(small)) < 6


def transparent_rgba(path: Path) -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4] = (255, 0, 0, 255)
    pixels[0, 7] = (0, 0, 0, 128)
    Image.fromarray(pixels).save(path)


def transparent_la(path: Path) -> None:
    pixels = np.zeros((8, 8, 2), np.uint8)
    pixels[:, :4] = (76, 255)
    Image.fromarray(pixels).save(path)


def transparent_palette(path: Path) -> None:
    picture = Image.fromarray(np.repeat(np.array([[0, 1]], np.uint8), 4, axis=1).repeat(8, axis=0), mode=None)
    picture = picture.convert("P")
    picture.putpalette([255, 0, 0, 0, 0, 0])
    picture.putdata([0 if i % 8 < 4 else 1 for i in range(64)])
    picture.save(path, transparency=bytes([255, 0]))


def transparent_grey(path: Path) -> None:
    pixels = np.full((8, 8), 9, np.uint8)
    pixels[:, :4] = 76
    Image.fromarray(pixels).save(path, transparency=9)


@pytest.mark.parametrize("make", [transparent_rgba, transparent_la, transparent_palette, transparent_grey])
def test_transparency_is_laid_on_white(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "a.png")
    pixels = read_rgb(tmp_path / "a.png")
    assert (pixels[1:, 4:] == 255).all()
    assert pixels[4, 1, 0] in (76, 255)
    if make is transparent_rgba:
        assert (pixels[:, :4] == (255, 0, 0)).all()
        assert abs(int(pixels[0, 7, 0]) - 127) <= 1  # half black on white
        small_square = read_rgb(tmp_path / "a.png", (2, 2))
        assert small_square[1, 1].min() > 200, "the black under the transparency leaked into the smaller picture"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.linspace(0, 65535, 256).astype(np.uint16), np.arange(256)),  # 16 bits
        (np.linspace(0, 4095, 256).astype(np.uint16), np.arange(256)),  # 12 bits in 16
        (np.arange(256).astype(np.uint16), np.arange(256)),  # 8 bits in 16
        (np.linspace(0, 65535, 256).astype(np.int32), np.arange(256)),
        (np.linspace(0, 2**31 - 1, 256).astype(np.int32), np.arange(256)),
        (np.linspace(0, 1, 256).astype(np.float32), np.arange(256)),
        (np.linspace(0, 255, 256).astype(np.float32), np.arange(256)),
        (np.append(np.linspace(0, 1, 255), np.nan).astype(np.float32), np.append(np.arange(255) * 255 / 254, 0)),
    ],
    ids=["16", "12in16", "8in16", "16in32", "31in32", "float1", "float255", "nan"],
)
def test_deep_grey_is_scaled_by_its_range(tmp_path: Path, values: Any, expected: Any) -> None:
    Image.fromarray(values.reshape(16, 16)).save(tmp_path / "a.tif")
    pixels = read_rgb(tmp_path / "a.tif")
    assert pixels.shape == (16, 16, 3)
    assert np.abs(pixels[..., 0].reshape(-1).astype(float) - expected).max() <= 1
    if values.dtype == np.uint16:
        Image.fromarray(values.reshape(16, 16)).save(tmp_path / "a.png")
        assert np.array_equal(read_rgb(tmp_path / "a.png"), pixels)


def test_a_dark_deep_picture_is_not_stretched(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 26215, np.uint16)).save(tmp_path / "a.png")
    assert (read_rgb(tmp_path / "a.png") == 102).all()


def test_first_frame_of_animations_and_pages(tmp_path: Path) -> None:
    red, blue = (Image.new("RGB", (10, 10), colour) for colour in ("red", "blue"))
    for name in ("a.gif", "a.tif", "a.webp"):
        save(red, tmp_path / name, save_all=True, append_images=[blue], lossless=True)
        assert (read_rgb(tmp_path / name) == (255, 0, 0)).all()


# --- orientation and size ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(tmp_path: Path, orientation: int, suffix: str) -> None:
    """The upright picture has a red upper left, a green upper right and a blue lower left corner."""
    upright = np.zeros((64, 96, 3), np.uint8)
    upright[:32, :48], upright[:32, 48:], upright[32:, :48] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    undo: dict[int, Callable[[Pixels], Pixels]] = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a.transpose(1, 0, 2), 2),
        8: lambda a: np.rot90(a, 3),
    }
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / f"a.{suffix}"
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation](upright)))
    save(stored, path, exif=exif, quality=95)

    assert image_size(path) == (64, 96)
    for pixels in (read_rgb(path), read_rgb(path, (32, 48))):
        height, width = pixels.shape[:2]
        assert (height, width) in ((64, 96), (32, 48))
        corners = [pixels[y, x].argmax() for y, x in ((4, 4), (4, width - 5), (height - 5, 4))]
        assert corners == [0, 1, 2]
        assert pixels[height - 5, width - 5].max() < 40


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
def test_broken_exif_does_not_hide_the_picture(tmp_path: Path, small: Image.Image) -> None:
    small.save(tmp_path / "a.jpg", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff" + b"\x12\x01" * 20)
    assert read_rgb(tmp_path / "a.jpg").shape == (40, 60, 3)
    assert image_size(tmp_path / "a.jpg") == (40, 60)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_shrinking_is_smoothed(tmp_path: Path, photo: Pixels, suffix: str) -> None:
    """Against averaging the whole picture, which no decoder short cut may stray from."""
    path = tmp_path / f"a.{suffix}"
    save(Image.fromarray(photo[:400, :640]), path, quality=97)
    average = photo[:400, :640].reshape(50, 8, 80, 8, 3).mean(axis=(1, 3))
    pixels = read_rgb(path, (50, 80))
    assert pixels.shape == (50, 80, 3)
    assert distance(pixels, average) < 4
    unsmoothed = photo[:400:8, :640:8]
    assert distance(unsmoothed, average) > 8


def test_size_squashes_and_enlarges(tmp_path: Path, small: Image.Image) -> None:
    small.save(tmp_path / "a.png")
    assert read_rgb(tmp_path / "a.png", (224, 200)).shape == (224, 200, 3)
    assert read_rgb(tmp_path / "a.png", (8, 100)).shape == (8, 100, 3)


def test_one_pixel(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "a.png")
    assert (read_rgb(tmp_path / "a.png", (32, 32)) == (1, 2, 3)).all()


# --- what can't be read --------------------------------------------------------------------------------------------


def huge_bmp(path: Path) -> None:
    header = struct.pack("<2sIHHI", b"BM", 54, 0, 0, 54)
    path.write_bytes(header + struct.pack("<IiiHHIIiiII", 40, 3_000_000, 2_000_000, 1, 24, 0, 0, 0, 0, 0, 0))


def just_too_large_bmp(path: Path) -> None:
    header = struct.pack("<2sIHHI", b"BM", 54, 0, 0, 54)
    path.write_bytes(header + struct.pack("<IiiHHIIiiII", 40, 10_001, 10_000, 1, 24, 0, 0, 0, 0, 0, 0))


def cut_jpeg(path: Path) -> None:
    Image.fromarray(load_sample_images().images[0]).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:9000])


def cut_png(path: Path) -> None:
    Image.fromarray(load_sample_images().images[0]).save(path, "PNG")
    path.write_bytes(path.read_bytes()[:9000])


def heic(path: Path) -> None:
    path.write_bytes(b"\x00\x00\x00\x18ftypheic" + b"\x00" * 100)


def eps(path: Path) -> None:
    Image.new("RGB", (4, 4)).save(path, "EPS")


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (huge_bmp, "100 megapixels"),
        (just_too_large_bmp, "100 megapixels"),
        (cut_jpeg, "damaged or cut off"),
        (cut_png, "damaged or cut off"),
        (heic, "HEIC"),
        (eps, "EPS"),
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_text("hello, I am no picture"), "not a picture"),
        (lambda path: path.mkdir(), "can't be read"),
        (lambda path: None, "missing"),
    ],
)
def test_unreadable_files_say_why(tmp_path: Path, make: Callable[[Path], None], reason: str) -> None:
    path = tmp_path / "a.jpg"
    make(path)
    for size in (None, (32, 32)):
        with pytest.raises(UnreadableImageError, match=reason) as caught:
            read_rgb(path, size)
        assert caught.value.path == path
        assert reason in caught.value.reason
        assert str(tmp_path) not in str(caught.value)


def test_reading_prints_nothing(tmp_path: Path) -> None:
    transparent_palette(tmp_path / "palette.png")
    just_too_large_bmp(tmp_path / "large.bmp")
    Image.new("RGB", (9, 9)).save(tmp_path / "exif.jpg", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff\x12\x01")
    Image.new("RGB", (9, 9)).save(tmp_path / "cut.tif")
    (tmp_path / "cut.tif").write_bytes((tmp_path / "cut.tif").read_bytes()[:-60])
    code = (
        "import sys; from pathlib import Path; from trainer_worker.pictures.images import *\n"
        "from trainer_worker.layouts.picture_index import *; from trainer_worker.layouts.tree import walk\n"
        "for folder in sys.argv[1:]:\n"
        "    reader = PictureReader(UserFiles.at(Path(folder)))\n"
        "    for name in PictureIndex(walk(reader.files)).paths:\n"
        "        path = Path(folder) / name\n"
        "        try: read_rgb(reader, path, (32, 32)); image_size(reader, path)\n"
        "        except UnreadableImageError: pass\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    folders = [str(tmp_path)] + ([str(AWKWARD / "files")] if AWKWARD.is_dir() else [])
    done = subprocess.run([sys.executable, "-c", code, *folders], cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


# --- real odd files ------------------------------------------------------------------------------------------------


def awkward_rows() -> list[dict[str, str]]:
    if not AWKWARD.is_dir():
        return []
    with (AWKWARD / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("row", awkward_rows(), ids=lambda row: row["file"])
def test_awkward_files(row: dict[str, str]) -> None:
    path = AWKWARD / "files" / row["file"]
    if row["pillow13"] != "decodes":
        with pytest.raises(UnreadableImageError):
            read_rgb(path)
        return
    width, height = map(int, row["size"].split("x"))
    if int(row["exif_orientation"] or 1) >= 5:
        height, width = width, height
    pixels = read_rgb(path)
    assert pixels.shape in ((height, width, 3), (width, height, 3))
    assert image_size(path) == pixels.shape[:2]
    squashed = read_rgb(path, (48, 64))
    assert squashed.shape == (48, 64, 3)
    assert abs(float(squashed.mean()) - float(pixels.mean())) < 3


@pytest.mark.parametrize("turn", [5, 6, 7, 8])
def test_uncompressed_tiff_with_a_quarter_turn_is_not_scrambled(tmp_path: Path, turn: int) -> None:
    pixels = np.random.default_rng(turn).integers(0, 256, (24, 40, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(pixels).save(tmp_path / "raw.tif", exif=exif)
    Image.fromarray(pixels).save(tmp_path / "packed.png", exif=exif)
    expected = read_rgb(tmp_path / "packed.png")
    assert expected.shape == (40, 24, 3)
    np.testing.assert_array_equal(read_rgb(tmp_path / "raw.tif"), expected)
