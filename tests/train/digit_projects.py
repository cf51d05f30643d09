"""Small projects of scikit-learn's digits in three classes, for training in tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

SIZE = 64


def digit_file(project: Path, row: int) -> Path:
    """Where write_digits puts the scan of that row."""
    return project / "images" / str(load_digits().target[row] % 3) / f"{row}.png"


def write_digits(project: Path, rows: range) -> None:
    digits = load_digits()
    for row in rows:
        path = project / "images" / str(digits.target[row] % 3) / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits.images[row] * 15).astype(np.uint8)).resize((SIZE, SIZE)).save(path)
