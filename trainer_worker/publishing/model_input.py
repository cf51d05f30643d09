"""What manifest.json and input_spec.json say of a model's input: how the file of a picture becomes the input.

`pictures/images.py` does what is said here. A test follows the words with Pillow alone and gets the same outputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from trainer_worker.pictures.flattening import FLOAT_RANGES, GREY_RANGES, GreyScale

_BILINEAR = "with Pillow's BILINEAR filter, which weighs all pixels of a large picture (antialiasing)"


class TileSize(NamedTuple):
    """Of a model that takes squares of a picture. size_px: the side of a square. overlap_px: the least overlap."""

    size_px: int
    overlap_px: int


def model_input(side_px: int, grey: GreyScale, tiles: TileSize | None = None) -> dict[str, Any]:
    """The value of `input` in the manifest.

    fit: "squash" if the whole picture becomes the input, "tiles" if squares of it do. orientation: when the EXIF
    orientation is applied. grey_scale: which values become white, {} if the training had no grey of more than 8 bits;
    grey_ranges and float_ranges: what decides then. steps: all of it in words, in the order in which it is done.
    """
    described = {
        "shape": [None, side_px, side_px, 3],
        "dtype": "float32",
        "channels": "RGB",
        "range": [0, 255],
        "normalization": "none",
        "fit": "tiles" if tiles else "squash",
        "filter": "bilinear",
        "antialias": True,
        "frame": 0,
        "jpeg_draft": not tiles,
        "background": [255, 255, 255],
        "grey_scale": grey.facts,
        "grey_ranges": list(GREY_RANGES),
        "float_ranges": list(FLOAT_RANGES),
        "orientation": "exif_after_scaling",
        "steps": [*_decoding(side_px, tiles), *(_tiling(tiles) if tiles else _squashing(side_px)), *_LAST_STEPS],
    }
    return described | ({"tiles": tiles._asdict()} if tiles else {})


_LAST_STEPS = (
    "The model takes RGB as float32 from 0 to 255. It normalizes by itself.",
    "Pictures that take more memory than the worker has for one are first reduced by a whole number (Pillow's reduce), "
    "to no less than twice the wanted size.",
)


def _decoding(side_px: int, tiles: TileSize | None) -> list[str]:
    draft = (
        f"Of a JPEG, call draft(None, ({side_px}, {side_px})) before loading it. It is then decoded at a half, quarter "
        f"or eighth of its size, if neither side falls below {side_px} pixels."
    )
    return [
        "Open the file with Pillow and take its first frame.",
        *(() if tiles else (draft,)),
        "Grey of more than 8 bits (modes I, I;16 and F): multiply by 255/white, round, and clip to 0 and 255. White is "
        "`white` of grey_scale, and for mode F `white_of_floats`. If it is not there, white is the smallest number of "
        "grey_ranges, for mode F of float_ranges, that is no less than the picture's largest value; if there is none, "
        "it is that value. A transparent value becomes 255.",
        "Any other picture with transparency: convert it to RGBA and paste it on white, with its alpha as the mask.",
        "All others: convert modes 1 and L to L, and all else to RGB.",
    ]


def _squashing(side_px: int) -> list[str]:
    return [
        f"Resize it to {side_px} x {side_px} pixels {_BILINEAR}. The whole picture is squashed into the square: "
        "nothing is cut off, and its aspect ratio changes.",
        "Turn it as its EXIF orientation says. (A TIFF is turned when it is loaded.)",
    ]


def _tiling(tiles: TileSize) -> list[str]:
    side, overlap = tiles
    return [
        f"If a side is shorter than {side} pixels, resize the picture {_BILINEAR}, so that this side has {side} and "
        "the other one keeps its length. All other pictures keep their size.",
        "Turn it as its EXIF orientation says. (A TIFF is turned when it is loaded.)",
        f"Cut squares of {side} x {side} pixels. Along a length L there are n + 1 of them, with n = ceil((L - {side}) "
        f"/ ({side} - {overlap})). Square k begins at round(k (L - {side}) / n), where a half is rounded to the even "
        "number; the only square begins at 0 if n is 0.",
        f"Put the outputs together: of two neighbouring squares, the pixels from floor((a + b + {side}) / 2) on come "
        "from the second one, where a and b are the places at which they begin.",
    ]
