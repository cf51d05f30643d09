"""Draws the pictures that train and the pictures that score, again and again from the same set. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer_worker.pictures.splits import Split

#: The share of the pictures that score where a whole set is used.
HELD_OUT_SHARE = 0.2
#: A unit of several pictures may exceed the wanted number of scored pictures of a class by this factor.
MOST_OVERSHOOT = 1.5
#: However many pictures a class should train with, this share of its units is left to score.
LEAST_SCORED_SHARE = 0.2
#: The unit of a picture that is not used.
UNUSED = -1


@dataclass(frozen=True)
class Form:
    """How much of a set is used. shots: training pictures of each class, while scored_per_class others score.

    shots is 0 for all pictures, or for per_class of each class if that is not 0. A fifth of them is held out.
    """

    shots: int = 0
    per_class: int = 0
    scored_per_class: int = 60

    @property
    def name(self) -> str:
        if self.shots:
            return f"{self.shots} shots, {self.scored_per_class} scored"
        return f"{self.per_class} of a class" if self.per_class else "all"

    def draw(self, classes: np.ndarray, units: np.ndarray, seed: int) -> Split:
        """The same seed gives the same rows.

        classes, units: int64 (n,). Pictures of one unit never stand on both sides; those of UNUSED on none.
        """
        random = np.random.default_rng(seed)
        numbers = random.permutation(np.unique(units[units != UNUSED]))
        shuffled = random.permutation(len(units))
        drawn = [shuffled[units[shuffled] == number] for number in numbers]
        if self.shots:
            return _shots(classes, drawn, self.shots, self.scored_per_class)
        if self.per_class:
            kept = np.isin(np.arange(len(classes)), in_turn(classes, drawn, self.per_class))
            drawn = [rows[kept[rows]] for rows in drawn if kept[rows].any()]
        return _held_out(classes, drawn)


def in_turn(classes: np.ndarray, units: Sequence[np.ndarray], most: int) -> np.ndarray:
    """At most so many rows of each class, sorted: the first one of every unit, then the second one of every unit."""
    taken: list[int] = []
    for label in np.unique(classes):
        turns = [(turn, row) for rows in units for turn, row in enumerate(rows[classes[rows] == label].tolist())]
        taken += [row for _, row in sorted(turns, key=lambda pair: pair[0])[:most]]
    return np.array(sorted(taken), np.int64)


def _shots(classes: np.ndarray, units: Sequence[np.ndarray], shots: int, scored: int) -> Split:
    """Units train until each of their classes has enough of them. All others may score."""
    labels = int(classes.max()) + 1
    holding = np.zeros(labels, np.int64)  # the number of units with pictures of each class
    for rows in units:
        holding[np.unique(classes[rows])] += 1
    wanted = np.minimum(shots, holding - np.maximum(1, np.ceil(LEAST_SCORED_SHARE * holding)).astype(np.int64))
    found = np.zeros(labels, np.int64)
    train: list[np.ndarray] = []
    score: list[np.ndarray] = []
    for rows in units:
        present = np.unique(classes[rows])
        if (found[present] < wanted[present]).any():
            train.append(rows)
            found[present] += 1
        else:
            score.append(rows)
    return Split(in_turn(classes, train, shots), in_turn(classes, score, scored))


def _held_out(classes: np.ndarray, units: Sequence[np.ndarray]) -> Split:
    """Units score until a fifth of each class does. Every class keeps one unit to train on."""
    labels = int(classes.max()) + 1
    sizes = [np.bincount(classes[rows], minlength=labels) for rows in units]
    wanted = np.maximum(1, np.round(HELD_OUT_SHARE * np.sum(sizes, axis=0)))
    left = np.sum([size > 0 for size in sizes], axis=0)
    found = np.zeros(labels, np.int64)
    train: list[np.ndarray] = []
    score: list[np.ndarray] = []
    for rows, size in zip(units, sizes, strict=True):
        present = size > 0
        fits = (found + size <= MOST_OVERSHOOT * wanted)[present].all() and (left[present] > 1).all()
        if fits and (found < wanted)[present].any():
            score.append(rows)
            found += size
            left[present] -= 1
        else:
            train.append(rows)
    return Split(_sorted(train), _sorted(score))


def _sorted(units: Sequence[np.ndarray]) -> np.ndarray:
    return np.sort(np.concatenate([np.zeros(0, np.int64), *units]))
