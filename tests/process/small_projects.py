"""Small real projects: scikit-learn's handwritten digits as PNG files in class folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

SIDE_PX = 64
DIGITS = (0, 1)


def digit_pictures(digit: int, count: int, skip: int = 0) -> list[Image.Image]:
    """The scans number skip, skip + 1, … of a digit, as RGB pictures of SIDE_PX."""
    digits = load_digits()
    scans = digits.images[digits.target == digit][skip : skip + count]
    assert len(scans) == count
    return [_picture(scan) for scan in scans]


def _picture(scan: Any) -> Image.Image:
    grey = Image.fromarray((scan * (255 / 16)).astype(np.uint8))
    return grey.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC).convert("RGB")


def make_digits_project(folder: Path, per_class: int = 20, digits: tuple[int, ...] = DIGITS) -> Path:
    """folder/images/<digit>/*.png; returns the folder."""
    for digit in digits:
        class_dir = folder / "images" / str(digit)
        class_dir.mkdir(parents=True)
        for number, picture in enumerate(digit_pictures(digit, per_class)):
            picture.save(class_dir / f"{number:03d}.png")
    return folder
