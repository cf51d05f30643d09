"""Finds series in the names of files: several pictures of one object, which look alike but are no copies.

A model that has trained on one picture of a series knows the others. So a series must not stand on both sides of a
split. Names alone don't prove a series, since cameras number all pictures. So the pictures must look alike as well.

- Neighbours: IMG_0012 and IMG_0013 in one folder, if they look nearly the same (a burst, frames of a film).
- Objects with frames: car1_01 to car1_16, car2_01 to car2_09, if frames of one object are clearly more alike than
  frames of different objects.
- Versions that an augmentation made of one picture: cat_jpg.rf.0a1b….jpg (Roboflow's exports).
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trainer_worker.pictures.likeness import correlations, differences

#: Neighbours by name are one series if they correlate this much and differ by no more grey levels than this
#: (docs/choices.md, "Series of one object").
NEIGHBOUR_CORRELATION, NEIGHBOUR_DIFFERENCE = 0.97, 12.0
#: Frames may be missing between two neighbours: their numbers differ by this at most.
MOST_STEP = 2
#: Objects with frames: at least this many objects, none with more than this share of a folder's pictures, and frames of
#: one object correlate by this much more than those of different ones, in the median.
LEAST_OBJECTS = 3
MOST_SHARE = 1 / 3
LEAST_CLOSER = 0.15
#: Frames of one object correlate at least this much, in the median: if names count the objects (car1_, obj_12-), and
#: if they may as well name kinds (poodle_, 2020_).
LEAST_OF_COUNTED, LEAST_OF_OTHERS = 0.25, 0.95

_NUMBERED = re.compile(r"(?P<prefix>.*?)(?P<number>[0-9]{1,9})\Z", re.DOTALL)
_COUNTED = re.compile(r".*[^\W\d_][\W_]*[0-9]{1,9}[\W_]*\Z", re.DOTALL)
_VERSION = re.compile(r"(?P<source>.+)\.rf\.[0-9a-zA-Z]{16,64}\Z", re.DOTALL)

Pairs = list[tuple[int, int]]


class _Numbered(NamedTuple):
    number: int
    row: int


def series_pairs(names: Sequence[str], thumbnails: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Pairs of rows that belong to one series, int64 (pairs, 2).

    names: paths relative to the project, with "/". thumbnails: uint8 (n, 16, 16, 3), see likeness.thumbnail.
    """
    versions: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    numbered: defaultdict[str, defaultdict[str, list[_Numbered]]] = defaultdict(lambda: defaultdict(list))
    for row, name in enumerate(names):
        folder, stem = posixpath.dirname(name), posixpath.splitext(posixpath.basename(name))[0]
        if version := _VERSION.match(stem):
            versions[folder, version["source"]].append(row)
        elif found := _NUMBERED.match(stem):
            numbered[folder][found["prefix"]].append(_Numbered(int(found["number"]), row))
    pairs = [pair for rows in versions.values() for pair in itertools.pairwise(rows)]
    for by_prefix in numbered.values():
        for frames in by_prefix.values():
            frames.sort()
        pairs += _objects(by_prefix, thumbnails)
        pairs += _neighbours(by_prefix.values(), thumbnails)
    return np.array(sorted(set(pairs)), np.int64).reshape(-1, 2)


def _neighbours(runs: Iterable[list[_Numbered]], thumbnails: Any) -> Pairs:
    """Neighbours by number that look nearly the same."""
    pairs = [
        (first.row, second.row)
        for frames in runs
        for step in range(1, MOST_STEP + 1)
        for first, second in zip(frames, frames[step:], strict=False)
        if 0 < second.number - first.number <= MOST_STEP
    ]
    if not pairs:
        return []
    rows = np.array(pairs)
    left, right = thumbnails[rows[:, 0]], thumbnails[rows[:, 1]]
    alike = (correlations(left, right) >= NEIGHBOUR_CORRELATION) & (differences(left, right) <= NEIGHBOUR_DIFFERENCE)
    return [pair for pair, is_alike in zip(pairs, alike, strict=True) if is_alike]


def _objects(by_prefix: Mapping[str, list[_Numbered]], thumbnails: Any) -> Pairs:
    """Neighbours within each object of a folder; none unless the pictures confirm that prefixes are objects."""
    named = {prefix: [frame.row for frame in frames] for prefix, frames in by_prefix.items() if len(frames) > 1}
    objects = list(named.values())
    pictures = sum(map(len, by_prefix.values()))
    if len(objects) < LEAST_OBJECTS or max(map(len, objects)) > MOST_SHARE * pictures:
        return []
    within = [pair for rows in objects for pair in itertools.pairwise(rows)]
    # A frame of each object beside one of the next object.
    between = [(rows[0], others[len(others) // 2]) for rows, others in itertools.pairwise(objects)]
    alike = _median_correlation(within, thumbnails)
    least = LEAST_OF_COUNTED if all(map(_COUNTED.match, named)) else LEAST_OF_OTHERS
    closer = alike - _median_correlation(between, thumbnails)
    return within if alike >= least and closer >= LEAST_CLOSER else []


def _median_correlation(pairs: Pairs, thumbnails: Any) -> float:
    rows = np.array(pairs)
    return float(np.median(correlations(thumbnails[rows[:, 0]], thumbnails[rows[:, 1]])))
