"""A classification project made from real pictures: scikit-learn's 1,797 scanned handwritten digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

SCANS = 1797
#: The scans are 8 pixels wide. They are enlarged so that a person who opens the folder can see them.
SIDE_PX = 64
#: The scans' values go from 0 (paper) to 16 (ink).
DARKEST = 16.0


def make_digits_project(folder: Path, images: int = SCANS) -> None:
    """Write the first `images` scans to folder/images/<digit>/<digit>_<number>.png, dark ink on white paper."""
    digits = load_digits()
    for number, (scan, digit) in enumerate(zip(digits.images[:images], digits.target[:images], strict=True)):
        class_folder = folder / "images" / str(digit)
        class_folder.mkdir(parents=True, exist_ok=True)
        grey = np.round(255 * (1 - scan / DARKEST)).astype(np.uint8)
        picture = Image.fromarray(grey).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
        picture.save(class_folder / f"{digit}_{number:04d}.png")
