"""Finds pictures that look the same although their files differ: saved again, scaled, or taken from another format.

Each picture becomes a thumbnail of 16 x 16 pixels. Two pictures are alike if their thumbnails correlate and differ by
few grey levels (docs/choices.md, "Pictures that look the same"). Pictures without any contrast are never alike, because
their thumbnails hold nothing but noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

THUMBNAIL_SIDE_PX = 16

#: Both must hold: the least correlation, and the largest difference in grey levels (root of the mean square).
LEAST_CORRELATION = 0.985
MOST_DIFFERENCE = 6.0
#: A thumbnail that varies by less, in grey levels, has no contrast.
LEAST_CONTRAST = 1.5

#: Pairs are sought with thumbnails of this side first, which costs a fourth. A coarse thumbnail correlates higher.
COARSE_SIDE_PX = 8
COARSE_CORRELATION = 0.98
#: Rows of the matrix of correlations that are in memory at the same time: 200 MB for 50,000 pictures.
BLOCK_ROWS = 1024
#: So many partners of one picture are followed. Copies of one picture reach each other through these.
MOST_PARTNERS = 16

Thumbnail = npt.NDArray[np.uint8]


def thumbnail(pixels: npt.NDArray[np.uint8]) -> Thumbnail:
    """uint8 (16, 16, 3) from RGB uint8 (h, w, 3): the mean of each area."""
    size = (THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def look_alikes(thumbnails: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Pairs of rows that look the same, int64 (pairs, 2), from thumbnails uint8 (n, 16, 16, 3).

    Sorted, the smaller row first. All copies of a picture are connected by pairs, but not every pair is listed.
    """
    if not len(thumbnails):
        return np.zeros((0, 2), np.int64)
    distinct, first, number = np.unique(
        thumbnails.reshape(len(thumbnails), -1), axis=0, return_index=True, return_inverse=True
    )
    varied = np.flatnonzero(_contrast(distinct) >= LEAST_CONTRAST)
    if not len(varied):
        return np.zeros((0, 2), np.int64)
    found = [_checked(distinct, varied[pairs]) for pairs in _coarse_pairs(distinct[varied])]
    pairs = first[np.concatenate(found)] if found else np.zeros((0, 2), np.int64)
    same = _same_rows(number, first, np.isin(number, varied))
    all_pairs: npt.NDArray[np.int64] = np.unique(np.concatenate([same, np.sort(pairs, axis=1)]), axis=0)
    return all_pairs.astype(np.int64)


def correlations(left: Thumbnail, right: Thumbnail) -> npt.NDArray[np.float32]:
    """The correlation of each pair of thumbnails, float32 (n,), from uint8 (n, 16, 16, 3) each."""
    found: npt.NDArray[np.float32] = np.einsum("nd,nd->n", _unit(left), _unit(right))
    return found


def differences(left: Thumbnail, right: Thumbnail) -> npt.NDArray[np.float32]:
    """The difference of each pair in grey levels, as the root of the mean square: float32 (n,). Shapes as above."""
    squares = (left.astype(np.float32) - right) ** 2
    found: npt.NDArray[np.float32] = np.sqrt(squares.reshape(len(squares), -1).mean(axis=1))
    return found


def _same_rows(number: Any, first: Any, is_varied: Any) -> Any:
    """Each row whose thumbnail equals that of an earlier row, with that row. Shapes (n,), (distinct,), (n,)."""
    earlier = first[number.reshape(-1)]
    rows = np.flatnonzero((earlier != np.arange(len(earlier))) & is_varied.reshape(-1))
    return np.stack([earlier[rows], rows], axis=1)


def _contrast(flat: Any) -> Any:
    """Standard deviation in grey levels, colours taken apart: (n,) from uint8 (n, 768)."""
    values = flat.reshape(len(flat), -1, 3).astype(np.float32)
    return values.std(axis=1).max(axis=1)


def _unit(values: Any) -> Any:
    """float32 (n, d) with mean 0 in each colour and length 1, so that dot products are correlations."""
    centred = values.reshape(len(values), -1, 3).astype(np.float32)
    centred = (centred - centred.mean(axis=1, keepdims=True)).reshape(len(values), -1)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)


def _coarse_pairs(distinct: Any) -> Iterator[Any]:
    """Candidate pairs of rows, int64 (pairs, 2) with the smaller row first, block by block."""
    step = THUMBNAIL_SIDE_PX // COARSE_SIDE_PX
    blocks = distinct.reshape(len(distinct), COARSE_SIDE_PX, step, COARSE_SIDE_PX, step, 3)
    coarse = _unit(blocks.mean(axis=(2, 4), dtype=np.float32))
    for start in range(0, len(coarse), BLOCK_ROWS):
        alike = coarse[start : start + BLOCK_ROWS] @ coarse[start:].T >= COARSE_CORRELATION
        pairs = [
            (row, row + 1 + column)
            for row, line in enumerate(alike)
            for column in np.flatnonzero(line[row + 1 :])[:MOST_PARTNERS]
        ]
        if pairs:
            yield np.array(pairs) + start


def _checked(distinct: Any, pairs: Any) -> Any:
    """The pairs that also hold at the full size of the thumbnails."""
    left, right = distinct[pairs[:, 0]], distinct[pairs[:, 1]]
    return pairs[(correlations(left, right) >= LEAST_CORRELATION) & (differences(left, right) <= MOST_DIFFERENCE)]
