"""Segmentation projects made from real pictures: handwritten digits or thin lines on photos, with exact masks.

The pictures are those that come with scikit-learn: 1,797 scanned digits, and two photos for the background.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits, load_sample_images

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

PICTURE_SIDE_PX = 224
DIGITS_PER_PICTURE = (2, 5)
DIGIT_SIDE_PX = (40, 96)
BACKGROUND_CROP_PX = (160, 400)
INK_OPACITY = (0.75, 1.0)
JPEG_QUALITY = 92
KINDS = ("zero", "one", "two", "three")

LINES_PER_PICTURE = (3, 6)
LINE_WIDTH_PX = (2, 3)
LINE_STEPS = 8
DARK = (20, 70)


def make_segmentation_project(folder: Path, images: int, seed: int) -> None:
    """Write `images` pictures to folder/images/*.jpg and their masks to folder/masks/<stem>_mask.png (0/255).

    Each picture shows 2 to 5 digits in random colours on a random crop of a photo; the foreground is the ink.
    Same seed, same files.
    """
    scans = load_digits().images
    _write_digits(folder, images, seed, scans, np.full(len(scans), 255, np.uint8))


def make_kinds_project(folder: Path, images: int, seed: int) -> None:
    """The same with digits of four kinds only, which classes.txt lists and the masks number: 0, 1, 2 and 3 in classes
    1 to 4. They differ by shape alone, since colours are random. Same seed, same files."""
    digits = load_digits()
    some = digits.target < len(KINDS)
    _write_digits(folder, images, seed, digits.images[some], (digits.target[some] + 1).astype(np.uint8))
    (folder / "classes.txt").write_text("\n".join(("background", *KINDS)) + "\n", encoding="utf-8")


def _write_digits(folder: Path, images: int, seed: int, scans: Any, values: Pixels) -> None:
    """values[i] is the pixel value that marks scans[i] in a mask."""
    random = np.random.default_rng(seed)
    photos = [np.asarray(photo) for photo in load_sample_images().images]
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(images):
        picture, mask = _compose(random, photos, scans, values)
        stem = f"digits_{number:04d}"
        Image.fromarray(picture).save(folder / "images" / f"{stem}.jpg", quality=JPEG_QUALITY)
        Image.fromarray(mask).save(folder / "masks" / f"{stem}_mask.png")


def _compose(random: np.random.Generator, photos: list[Any], scans: Any, values: Pixels) -> tuple[Pixels, Pixels]:
    """Make one picture (h, w, 3) and its mask (h, w)."""
    picture = _background(random, photos)
    mask = np.zeros(picture.shape[:2], np.uint8)
    for _ in range(random.integers(DIGITS_PER_PICTURE[0], DIGITS_PER_PICTURE[1] + 1)):
        scan = int(random.integers(len(scans)))
        ink = _ink(random, scans[scan])
        side = ink.shape[0]
        top, left = random.integers(0, PICTURE_SIDE_PX - side, size=2)
        window = (slice(top, top + side), slice(left, left + side))
        _paste(random, picture[window], mask[window], ink, values[scan])
    return picture.round().astype(np.uint8), mask


def _background(random: np.random.Generator, photos: list[Any]) -> Any:
    """A random square crop of a photo, mirrored half of the time, float64 (side, side, 3)."""
    photo = photos[random.integers(len(photos))]
    side = int(random.integers(BACKGROUND_CROP_PX[0], BACKGROUND_CROP_PX[1] + 1))
    top = random.integers(0, photo.shape[0] - side)
    left = random.integers(0, photo.shape[1] - side)
    crop = Image.fromarray(photo[top : top + side, left : left + side])
    pixels = np.asarray(crop.resize((PICTURE_SIDE_PX, PICTURE_SIDE_PX), Image.Resampling.BICUBIC), np.float64)
    return pixels[:, ::-1].copy() if random.random() < 0.5 else pixels.copy()


def _ink(random: np.random.Generator, scan: Any) -> Any:
    """Enlarge a scanned digit (8, 8) with values 0 to 16 smoothly. Returns a bool array, True where there is ink."""
    side = int(random.integers(DIGIT_SIDE_PX[0], DIGIT_SIDE_PX[1] + 1))
    enlarged = Image.fromarray((scan / 16).astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(enlarged) > 0.45


def _paste(random: np.random.Generator, picture: Any, mask: Pixels, ink: Any, value: int) -> None:
    """Blend the ink in one colour into the window of the picture and mark it in the mask, both in place.

    If the colour is too close to the background, nobody could see the digit, so another colour is drawn.
    """
    below = picture[ink].mean(axis=0)
    colour = random.integers(0, 256, size=3)
    while np.abs(colour - below).max() < 60:
        colour = random.integers(0, 256, size=3)
    opacity = random.uniform(*INK_OPACITY)
    picture[ink] = opacity * colour + (1 - opacity) * picture[ink]
    mask[ink] = value


def make_thin_lines_project(folder: Path, images: int, side_px: int, seed: int) -> None:
    """Write `images` square pictures of side_px with their masks (0/255): dark winding lines, 2 to 3 px thin, on
    random crops of photos, as of cracks or wires. Same seed, same files."""
    random = np.random.default_rng(seed)
    photos = [Image.fromarray(photo) for photo in load_sample_images().images]
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(images):
        photo = photos[number % len(photos)]
        crop_px = int(random.integers(BACKGROUND_CROP_PX[0], BACKGROUND_CROP_PX[1] + 1))
        left, top = int(random.integers(photo.width - crop_px)), int(random.integers(photo.height - crop_px))
        crop = photo.crop((left, top, left + crop_px, top + crop_px))
        picture = crop.resize((side_px, side_px), Image.Resampling.BICUBIC)
        mask = Image.new("L", picture.size)
        for _ in range(random.integers(LINES_PER_PICTURE[0], LINES_PER_PICTURE[1] + 1)):
            line, width_px = _winding(random, side_px), int(random.integers(LINE_WIDTH_PX[0], LINE_WIDTH_PX[1] + 1))
            colour = tuple(random.integers(*DARK, size=3).tolist())
            ImageDraw.Draw(picture).line(line, fill=colour, width=width_px)
            ImageDraw.Draw(mask).line(line, fill=255, width=width_px)
        picture.save(folder / "images" / f"lines_{number:04d}.png")
        mask.save(folder / "masks" / f"lines_{number:04d}.png")


def _winding(random: np.random.Generator, side_px: int) -> list[tuple[float, float]]:
    """Corners (x, y) of a line that turns a little at every step."""
    place, angle = random.uniform(0, side_px, 2), random.uniform(0, 2 * np.pi)
    corners = [(float(place[0]), float(place[1]))]
    for _ in range(LINE_STEPS):
        angle += random.normal(0, 0.5)
        place = place + side_px / LINE_STEPS * np.array([np.cos(angle), np.sin(angle)])
        corners.append((float(place[0]), float(place[1])))
    return corners
