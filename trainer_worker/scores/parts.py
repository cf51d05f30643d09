"""Divides many pictures into parts that the quick classifier can look at, since its cost grows with the third power.

With few classes, a part holds random pictures of all classes. With many, it holds some classes that look alike, so that
each of them still has enough pictures in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer_worker.scores.quick_classifier import Rows, Sample

#: The pictures of a part. Their kernel takes 36 MB and half a second.
MOST_TOGETHER = 3000
#: So many pictures of a class should be in a part.
WANTED_OF_CLASS = 24


@dataclass(frozen=True)
class Part:
    """rows: int64 (n,), of the whole sample. labels: int64 (labels,), its numbers of the classes in this part.

    sample: these pictures alone, with classes numbered from 0.
    """

    rows: Rows
    labels: Rows
    sample: Sample


def parts_of(whole: Sample) -> list[Part]:
    """All pictures, each in one part; groups stay together if their pictures are of one class."""
    random = np.random.default_rng(0)
    counts = np.bincount(whole.classes, minlength=whole.labels)
    brightness = np.bincount(whole.classes, weights=whole.features[:, 0], minlength=whole.labels)
    alike = np.argsort(brightness / np.maximum(counts, 1), kind="stable")  # neighbours on the first component
    blocks = np.array_split(alike, np.ceil(len(alike) * WANTED_OF_CLASS / MOST_TOGETHER))
    turn = random.permutation(int(whole.groups.max()) + 1)[whole.groups]
    parts = []
    for block in blocks:
        rows = np.flatnonzero(np.isin(whole.classes, block))
        rows = rows[np.argsort(turn[rows], kind="stable")]
        parts += [_part(whole, np.sort(some)) for some in np.array_split(rows, np.ceil(len(rows) / MOST_TOGETHER))]
    return parts


def _part(whole: Sample, rows: Rows) -> Part:
    labels, classes = np.unique(whole.classes[rows], return_inverse=True)
    sample = Sample(whole.features[rows], classes, len(labels), whole.folds[rows], whole.groups[rows])
    return Part(rows, labels, sample)
