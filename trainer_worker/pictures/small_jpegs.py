"""Small JPEGs of pictures, for people to look at."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image


def shown_size(height: int, width: int, side_px: int) -> tuple[int, int]:
    """(height, width) at which a picture is shown. A small one keeps its size; a thin one keeps at least a pixel."""
    factor = min(1.0, side_px / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def jpeg_of(pixels: npt.NDArray[np.uint8], quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()
