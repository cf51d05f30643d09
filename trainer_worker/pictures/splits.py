"""Splits pictures into those that train the model and the held-out set, which only scores it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Groups of several pictures may exceed the wanted number of held-out pictures by this factor.
MOST_OVERSHOOT = 1.5


@dataclass(frozen=True)
class Wanted:
    """How many pictures of each class are to be held out: about `share` of them, and at least `least` of them.

    Not more than half of a class is held out for the sake of `least`.
    """

    share: float
    least: int = 1

    def of(self, pictures: int) -> int:
        return max(1, round(self.share * pictures), min(self.least, pictures // 2))


@dataclass(frozen=True)
class Split:
    """Row numbers, int64, sorted. No row is on both sides."""

    train: np.ndarray
    held_out: np.ndarray


def conflicts(groups: np.ndarray, classes: np.ndarray) -> list[np.ndarray]:
    """The rows of every group of identical pictures that are in more than one class."""
    order = np.argsort(groups, kind="stable")
    runs = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return [np.sort(run) for run in runs if len(np.unique(classes[run])) > 1]


def given_split(classes: np.ndarray, groups: np.ndarray, train: np.ndarray, held_out: np.ndarray) -> Split:
    """The caller's own split. A picture that scores never trains: copies of it are left out of the training set.

    train, held_out: row numbers. A class of which nothing would be left to train on keeps its copies, and does not
    score with them.
    """
    scoring = np.isin(groups, groups[held_out])
    kept = train[~scoring[train]]
    lost = np.setdiff1d(classes[train], classes[kept])
    kept = np.sort(np.concatenate([kept, train[np.isin(classes[train], lost)]]))
    return Split(train=kept, held_out=np.sort(held_out[~np.isin(groups[held_out], groups[kept])]))


def stratified_split(
    classes: np.ndarray, groups: np.ndarray, wanted: Wanted, seed: int, sides: np.ndarray | None = None
) -> Split:
    """Hold out what is wanted of each class, whole groups of pictures at a time (see copies.py).

    classes, groups: int64 (n,). Every class with two different pictures has one on each side. A class with only one,
    and pictures that are in several classes (which would score at random), stay in the training set.
    sides: int8 (n,), 1 for rows that must be held out and -1 for those that must not be; by default all are 0.
    The same arguments give the same split. scikit-learn's splitters respect either the groups or the small classes,
    but not both.
    """
    rng = np.random.default_rng(seed)
    in_conflict = {int(groups[rows[0]]) for rows in conflicts(groups, classes)}
    held_out: list[int] = []
    for label in range(int(classes.max(initial=-1)) + 1):
        rows_by_group: dict[int, list[int]] = defaultdict(list)
        for row in np.flatnonzero(classes == label):
            rows_by_group[int(groups[row])].append(int(row))
        free = [group for group in rows_by_group if group not in in_conflict]
        count = wanted.of(sum(len(rows) for rows in rows_by_group.values()))
        most = len(free) if len(free) < len(rows_by_group) else len(free) - 1
        order = [int(group) for group in rng.permutation(free)]
        fixed: list[int] = []
        if sides is not None:
            side = {group: _side_of(sides[rows_by_group[group]]) for group in order}
            order = sorted((group for group in order if side[group] >= 0), key=lambda group: -side[group])
            count = max(count, sum(len(rows_by_group[group]) for group in order if side[group] == 1))
            fixed = [group for group in order if side[group] == 1]
        held_out += _taken([rows_by_group[group] for group in order], count, most, len(fixed))
    mask = np.zeros(len(classes), dtype=bool)
    mask[held_out] = True
    return Split(train=np.flatnonzero(~mask), held_out=np.flatnonzero(mask))


def _taken(groups: Sequence[list[int]], wanted: int, most: int, fixed: int) -> list[int]:
    """The rows of the groups that are held out: about `wanted` rows, of `most` groups at most.

    The first `fixed` groups are taken whatever their size. Of the others, a large one is passed over where it would
    take far more rows than wanted from the training set; if all are large, the smallest is taken.
    """
    taken: list[int] = []
    number = 0
    for position, rows in enumerate(groups):
        if len(taken) >= wanted or number >= most:
            break
        if position < fixed or len(rows) == 1 or len(taken) + len(rows) <= MOST_OVERSHOOT * wanted:
            taken += rows
            number += 1
    if not taken and most > 0 and groups:
        taken = min(groups, key=lambda rows: len(rows))
    return taken


def folds_of(classes: np.ndarray, groups: np.ndarray, split: Split, count: int, seed: int) -> np.ndarray:
    """Number the folds of a cross-validation: int64 (n,), 0 for the held-out rows, 1 to count - 1 for the others.

    Whole groups go into the fold that has the fewest rows of their class so far. -1 for rows that never score: those
    of groups in several classes, of classes with a single group, and those that are on neither side of the split.
    """
    rng = np.random.default_rng(seed)
    folds = np.full(len(classes), -1, dtype=np.int64)
    folds[split.held_out] = 0
    in_conflict = {int(groups[rows[0]]) for rows in conflicts(groups, classes)}
    for label in np.unique(classes[split.train]):
        rows_by_group: dict[int, list[int]] = defaultdict(list)
        for row in split.train[classes[split.train] == label]:
            rows_by_group[int(groups[row])].append(int(row))
        free = [group for group in rows_by_group if group not in in_conflict]
        if len(np.unique(groups[classes == label])) < 2:
            continue
        order = sorted(rng.permutation(free).tolist(), key=lambda group: -len(rows_by_group[group]))
        sizes = [0] * (count - 1)
        turn = rng.permutation(count - 1).tolist()  # so that classes of one or two groups don't all fill the same fold
        for group in order:
            fold = min(turn, key=lambda number: sizes[number])
            sizes[fold] += len(rows_by_group[group])
            folds[rows_by_group[group]] = 1 + fold
    return folds


def _side_of(sides: np.ndarray) -> int:
    """The side of a group from those of its rows: one that has trained may not score, and one that scored goes on."""
    if (sides == -1).any():
        return -1
    return int(sides.max())
