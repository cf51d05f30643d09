"""Projects of drawn pictures and masks: one disc each, saved in whatever way a test is about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation.classes import UNLABELLED
from trainer_worker.segmentation.folders import Cutting, Examples, MaskFolders, read_pairs, scan_mask_folders

HEIGHT, WIDTH = 96, 128
SIDE = 96
SETS = 8

#: Saves one mask, from where the object is; given are a path without a suffix, and a number.
Writer = Callable[[np.ndarray, Path, int], None]


def disc(number: int, grown_px: int = 0) -> np.ndarray:
    """Where the object of picture `number` is."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    radius = 14 + number + grown_px
    inside: np.ndarray = (rows - 40 - number) ** 2 + (columns - 50 - 3 * number) ** 2 <= radius**2
    return inside


def project(root: Path, write: Writer, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number in range(SETS):
        Image.new("RGB", size, (number, 90, 90)).save(root / "images" / f"p{number}.png")
        write(disc(number), root / "masks" / f"p{number}", number)
    return root


def saved(image: Image.Image, path: Path, suffix: str = ".png") -> None:
    image.save(path.with_suffix(suffix))


def grey(mask: np.ndarray, low: int = 0, high: int = 255) -> Image.Image:
    return Image.fromarray(np.where(mask, high, low).astype(np.uint8))


def colours(mask: np.ndarray, low: tuple[int, int, int], high: tuple[int, int, int]) -> Image.Image:
    return Image.fromarray(np.where(mask[..., None], high, low).astype(np.uint8))


def palette(indexes: np.ndarray, listed: list[int]) -> Image.Image:
    image = Image.fromarray(indexes.astype(np.uint8))
    image.putpalette(listed)
    return image


def read(root: Path) -> tuple[MaskFolders, Examples]:
    folders = scan_mask_folders(UserFiles.at(root))
    return folders, read_pairs(folders, Cutting(SIDE), 2, lambda share: None)


def scaled(mask: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(mask.astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.NEAREST))


def wrong_share(examples: Examples, number: int) -> float:
    """The share of the labelled pixels that are not as drawn."""
    labelled = examples.masks[number] != UNLABELLED
    wrong = examples.masks[number][labelled] != scaled(disc(number))[labelled]
    return float(wrong.mean())


def array_of(dtype: str) -> Writer:
    def write(mask: np.ndarray, path: Path, number: int) -> None:
        np.save(path.with_suffix(".npy"), np.asfortranarray(mask.astype(dtype)) if number % 2 else mask.astype(dtype))

    return write
