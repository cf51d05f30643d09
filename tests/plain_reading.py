"""Uses a model as a stranger would: with Pillow, NumPy and what its manifest.json says. Nothing of ours."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
FILTERS = {"bilinear": Image.Resampling.BILINEAR}
EXIF_ORIENTATION = 0x0112


def read(path: Path, said: dict[str, Any]) -> Any:
    """The picture as uint8 (h, w, 3). said: `input` of the manifest."""
    side = said["shape"][1]
    with Image.open(path) as image:
        if said["jpeg_draft"]:
            image.draft(None, (side, side))
        image.seek(said["frame"])
        image.load()
        turn = image.getexif().get(EXIF_ORIENTATION, 1)
        flat = _flat(image, said)
    size = (side, side) if said["fit"] == "squash" else (max(flat.width, side), max(flat.height, side))
    if flat.size != size:
        flat = flat.resize(size, FILTERS[said["filter"]])
    if said["orientation"] == "exif_after_scaling" and turn in TURNS:
        flat = flat.transpose(TURNS[turn])
    return np.asarray(flat.convert(said["channels"]))


def _flat(image: Image.Image, said: dict[str, Any]) -> Image.Image:
    if image.mode[0] in "IF":
        values = np.asarray(image, np.float64)
        name, ranges = ("white_of_floats", "float_ranges") if image.mode == "F" else ("white", "grey_ranges")
        white = said["grey_scale"].get(name) or min([w for w in said[ranges] if w >= values.max()] or [values.max()])
        grey = np.clip(np.rint(values * (255 / white)), 0, 255).astype(np.uint8)
        return Image.fromarray(np.where(values == image.info.get("transparency", -1), np.uint8(255), grey))
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        page = Image.new("RGB", image.size, tuple(said["background"]))
        page.paste(colours, mask=colours.getchannel("A"))
        return page
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def outputs(picture: Any, said: dict[str, Any], run: Callable[[Any], Any]) -> Any:
    """What the model says of a picture that was read: (labels,), or (h, w, channels) of a segmenter.

    run: the model, from uint8 (S, S, 3).
    """
    if said["fit"] == "squash":
        return run(picture)
    side = said["tiles"]["size_px"]
    rows, columns = (list(_squares(length, side, said["tiles"]["overlap_px"])) for length in picture.shape[:2])
    found: Any = None
    for top, below in rows:
        for left, right_of in columns:
            output = run(picture[top : top + side, left : left + side])
            if found is None:
                found = np.empty((*picture.shape[:2], output.shape[-1]), np.float32)
            found[below : top + side, right_of : left + side] = output[below - top :, right_of - left :]
    return found


def _squares(length: int, side: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Where each square begins, and the first pixel that comes from it; the next square overwrites its end."""
    n = math.ceil((length - side) / (side - overlap))
    starts = [round(k * (length - side) / n) for k in range(n + 1)] if n else [0]
    for number, start in enumerate(starts):
        yield start, (starts[number - 1] + start + side) // 2 if number else 0
