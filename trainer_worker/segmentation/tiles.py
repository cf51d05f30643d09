"""Cuts large pictures into square tiles of their own resolution, and puts tiles together again.

A side that is shorter than a tile is stretched to the tile's side. Along a longer side, tiles lie at even distances
from its beginning to its end. Each tile overlaps the next one by a quarter of its side or more. When tiles are put
together, the two tiles of an overlap each fill the half of it that is nearer to their middle, because a network
predicts worst at the edges of its input.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from trainer_worker.segmentation.classes import UNLABELLED

#: Neighbouring tiles overlap by at least this share of a tile's side.
LEAST_OVERLAP = 0.25
#: This share of the tiles to train on has foreground, if there are enough of such tiles.
FOREGROUND_SHARE = 0.75
#: Of the mask of a picture that is cut, so many rows and columns are kept at most.
THINNED_PX = 96


class Tile(NamedTuple):
    """window: where the tile lies in its picture. answers_for: the part of the picture that is filled from the tile.

    Both are slices of rows and columns.
    """

    window: tuple[slice, slice]
    answers_for: tuple[slice, slice]


def tiled_size(height: int, width: int, side: int) -> tuple[int, int]:
    """The (height, width) that a picture is scaled to before it is cut."""
    return max(height, side), max(width, side)


def overlap_px(side: int) -> int:
    """The least overlap of neighbouring tiles, in pixels."""
    return round(LEAST_OVERLAP * side)


def tiles(height: int, width: int, side: int, least_overlap_px: int | None = None) -> list[Tile]:
    """The tiles of a picture, row by row. height, width: at least `side`. least_overlap_px: overlap_px if not given.

    The parts that the tiles answer for cover the picture without overlap.
    """
    step = side - (overlap_px(side) if least_overlap_px is None else least_overlap_px)
    rows, columns = list(_along(height, side, step)), list(_along(width, side, step))
    return [Tile((row, column), (above, left)) for row, above in rows for column, left in columns]


def _along(length: int, side: int, most_apart: int) -> Iterator[tuple[slice, slice]]:
    steps = -(-(length - side) // most_apart)
    starts = [round(step * (length - side) / steps) for step in range(steps + 1)] if steps else [0]
    borders = [(start + before + side) // 2 for before, start in itertools.pairwise(starts)]
    for start, begin, end in zip(starts, [0, *borders], [*borders, length], strict=True):
        yield slice(start, start + side), slice(begin, end)


def part_that_counts(tile: Tile, output: Any) -> Any:
    """Cut out of a tile's output (side, side, ...) what the tile answers for."""
    (rows, columns), (window_rows, window_columns) = tile.answers_for, tile.window
    top, left = window_rows.start, window_columns.start
    return output[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]


def thinned(mask: Any) -> Any:
    """At most THINNED_PX rows and columns of a mask (h, w), evenly spaced. They tell where classes lie."""
    down, across = (-(-length // THINNED_PX) for length in mask.shape)
    return mask[down // 2 :: down, across // 2 :: across]


def choose(mask: Any, side: int, most: int, random: np.random.Generator) -> Sequence[Tile]:
    """Choose at most `most` tiles of a mask (h, w) to train on: at random, with FOREGROUND_SHARE of foreground.

    Tiles without any label are left out, so there may be none.
    """
    height, width = mask.shape
    labelled = [tile for tile in tiles(height, width, side) if (mask[tile.window] != UNLABELLED).any()]
    shuffled = [labelled[int(row)] for row in random.permutation(len(labelled))]
    marks = [bool(((part := mask[tile.window]) > 0)[part != UNLABELLED].any()) for tile in shuffled]
    foreground = [tile for tile, mark in zip(shuffled, marks, strict=True) if mark]
    background = [tile for tile, mark in zip(shuffled, marks, strict=True) if not mark]
    of_foreground = max(round(FOREGROUND_SHARE * most), most - len(background))
    chosen = foreground[:of_foreground]
    return chosen + background[: most - len(chosen)]
