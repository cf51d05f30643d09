"""Splits pictures into those that train the model and the held-out set, which only scores it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np


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
    classes: np.ndarray, groups: np.ndarray, share: float, seed: int, sides: np.ndarray | None = None
) -> Split:
    """Hold out about `share` of each class, whole groups of identical pictures at a time.

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
        wanted = max(1, round(share * sum(len(rows) for rows in rows_by_group.values())))
        most = len(free) if len(free) < len(rows_by_group) else len(free) - 1
        order = [int(group) for group in rng.permutation(free)]
        if sides is not None:
            side = {group: int(sides[rows_by_group[group][0]]) for group in order}
            order = sorted((group for group in order if side[group] >= 0), key=lambda group: -side[group])
            wanted = max(wanted, sum(len(rows_by_group[group]) for group in order if side[group] == 1))
        taken: list[int] = []
        for group in order[: max(0, most)]:
            if len(taken) >= wanted:
                break
            taken += rows_by_group[group]
        held_out += taken
    mask = np.zeros(len(classes), dtype=bool)
    mask[held_out] = True
    return Split(train=np.flatnonzero(~mask), held_out=np.flatnonzero(mask))
