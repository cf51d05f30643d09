"""Decides in which views a segmenter's pictures are trained on.

Every view of a picture under a microscope could be another picture of the set, and a model gains from all eight. A
street that stands on its head could not, and a model that has to learn it knows the street less well. Mirrored left to
right, most pictures still look like their set, unless their classes differ by side, as lungs do. Such pictures are not
turned upside down either, because that makes a mirror image, too: of a right hand it makes a left one. The fewer ways a
picture may lie, the more lights it is shown in (docs/choices.md, "Views of a segmenter").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from protocol.data_report import Finding, Severity, finding
from protocol.options import Mirror
from trainer_worker.layouts.mirroring import may_mirror
from trainer_worker.segmentation.classes import UNLABELLED
from trainer_worker.segmentation.folders import Examples
from trainer_worker.segmentation.skip_features import ENCODER_BATCH, SkipFeatures
from trainer_worker.segmentation.views import MIRRORED, SWAPPED, UPSIDE_DOWN, have_lights, lies_within, views_of

#: So many training examples tell by their features whether a view looks like the set, and so many by the places of
#: their classes.
SAMPLED, SAMPLED_MASKS = 24, 240
#: At most so many pictures are encoded for that: as they are, upside down and with their axes swapped.
MOST_ENCODED = 3 * SAMPLED
#: A set of fewer pictures that are neither copies nor a series tells nothing. It is taken to have an upper side.
FEWEST_TELLING = 8
#: A view does not look like the set if its differences from the pictures are more alike than this (see likeness).
MOST_ALIKE = 0.05
#: A class belongs to one half of the pictures if its middle is there in this share of them, and if it would be unusual
#: for any class to be there so often by chance: at most so likely.
ONE_HALF_SHARE, MOST_CHANCE = 0.9, 0.05

_SENTENCES = {
    0: "The model learned from the pictures as they are.",
    MIRRORED: "The model learned from the pictures as they are, and mirrored left to right.",
    MIRRORED | UPSIDE_DOWN: (
        "The model learned from the pictures as they are, mirrored left to right, upside down, and both."
    ),
    MIRRORED | UPSIDE_DOWN | SWAPPED: "The model learned from the pictures in all eight ways to turn and mirror them.",
}
_UNSEEN = " The time budget left no time to see whether they could as well be turned."


class ViewChoice(NamedTuple):
    """views: those to train on. sentence: what was done, for metrics.json. findings: what the caller should know."""

    views: tuple[int, ...]
    sentence: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class TrainingSet:
    """What tells which views look like the set.

    rows: the examples that train. together: int64 (pairs,), equal for copies and for pictures of one series. names: of
    the classes, background first.
    """

    skips: SkipFeatures
    examples: Examples
    rows: Sequence[int]
    together: Any
    names: Sequence[str]

    @property
    def groups(self) -> Any:
        """For each of the rows a number, equal for examples of one picture, of its copies and of its series."""
        return self.together[self.examples.owners[list(self.rows)]]

    def is_grey(self, tell: Callable[[], None]) -> bool:
        """Whether no example that trains has any colour. tell: called for each example that has none."""
        for row in self.rows:
            picture = self.examples.pictures[row]
            if (picture != picture[..., :1]).any():
                return False
            tell()
        return True

    def whole_mask(self, place: int) -> Any:
        """The mask uint8 (h, w) of the picture that one of the rows comes from; of a cut picture a thinned one."""
        row = self.rows[place]
        return self.examples.thinned[self.examples.owners[row]] if self.examples.tiles else self.examples.masks[row]


def choose_views(
    data: TrainingSet, mirror: Mirror, tell: Callable[[], None] = lambda: None, has_time: bool = True
) -> ViewChoice:
    """The views to train on. mirror: the option, which decides about left and right unless it is "auto".

    With "auto", first the names of the classes decide (mirroring.py), and then their places. The same examples give the
    same choice, but for the rounding of features on another kind of machine.
    tell: called for each batch that is looked at, and may raise. has_time: whether there is time to encode pictures.
    Without it, none is turned.
    """
    mirrored = may_mirror(data.names[1:], mirror)
    findings: tuple[Finding, ...] = ()
    if mirrored and mirror == "auto":
        left, right = _classes_of_halves(data, axis=1)
        if left and right:
            mirrored, findings = False, (_of_sides(left[0], right[0]),)
    changes = _changes(data, tell, has_time) if mirrored else 0
    sentence = _SENTENCES[changes] + (_UNSEEN if mirrored and not has_time else "")
    lies = lies_within(changes)
    if not have_lights(lies):
        return ViewChoice(views_of(lies), sentence, findings)
    is_grey = data.is_grey(tell)
    lights = f" Each was also shown in other lights{', as grey as it is' if is_grey else ''}."
    return ViewChoice(views_of(lies, is_grey), sentence + lights, findings)


def _changes(data: TrainingSet, tell: Callable[[], None], has_time: bool) -> int:
    """Which changes leave pictures as they could be, if mirroring them does."""
    if not has_time or not _looks_the_same(data, UPSIDE_DOWN, tell):
        return MIRRORED
    turned = SWAPPED if _looks_the_same(data, SWAPPED, tell) else 0
    return MIRRORED | UPSIDE_DOWN | turned


def _looks_the_same(data: TrainingSet, view: int, tell: Callable[[], None]) -> bool:
    """Whether the pictures of the set could as well stand in that view, by their features and by their masks."""
    if len(np.unique(data.groups)) < FEWEST_TELLING or (view == UPSIDE_DOWN and any(_classes_of_halves(data, axis=0))):
        return False
    return view_likeness(data, view, tell) <= MOST_ALIKE


def view_likeness(data: TrainingSet, view: int, tell: Callable[[], None] = lambda: None) -> float:
    """The `likeness` of the changes that a view makes to the encoder's mean features at its last stride."""
    some = _of_many_groups(data.groups, SAMPLED)
    rows = np.repeat(np.array(data.rows)[some], 2)
    views = np.tile([0, view], len(some))
    wanted = [
        (rows[start : start + ENCODER_BATCH], views[start : start + ENCODER_BATCH])
        for start in range(0, len(rows), ENCODER_BATCH)
    ]
    means = []
    for maps in data.skips.batches(wanted):
        means.append(maps[-1].astype(np.float32).mean(axis=(1, 2)))
        tell()
    features = np.concatenate(means)
    spread = features.std(axis=0) + 1e-3
    return likeness((features[::2] - features[1::2]) / spread, data.groups[some])


def likeness(changes: Any, groups: Any) -> float:
    """How alike the changes of different groups are: 1 if all are equal, about 0 if they have nothing in common.

    It is the mean product of the changes of two groups, divided by the mean square of one. If a set looks the same in
    a view, each change is as likely as its opposite, so the products cancel out. changes: float (n, features). groups:
    int (n,), two different ones at least; the changes of a group are averaged.
    """
    means = np.stack([changes[groups == group].mean(axis=0) for group in np.unique(groups)])
    count, squares = len(means), float((means**2).sum())
    products = float((means.sum(axis=0) ** 2).sum()) - squares
    return products / (squares * (count - 1)) if squares else 0.0


def _classes_of_halves(data: TrainingSet, axis: int) -> tuple[list[str], list[str]]:
    """The classes that belong to the upper and to the lower half (axis 0), or to the left and the right one (axis 1).

    The background belongs to neither. Of tiles, the whole pictures tell.
    """
    some = _of_many_groups(data.groups, SAMPLED_MASKS)
    means = _means(_middles(data, some, axis), data.groups[some])
    shown = (~np.isnan(means)).sum(axis=0)
    told = [number for number in range(1, len(data.names)) if shown[number] >= FEWEST_TELLING]

    def most_in(half: Any) -> list[str]:
        return [data.names[n] for n in told if _is_no_chance(int(half[:, n].sum()), int(shown[n]), len(told))]

    return most_in(means < 0), most_in(means > 0)


def _is_no_chance(times: int, shown: int, classes: int) -> bool:
    """Whether a class belongs to a half in which it is so many times, of those that it is shown.

    With many classes, some are in one half by chance: of 8 pictures in all, by one class in 256.
    """
    chance = sum(math.comb(shown, k) for k in range(times, shown + 1)) / 2**shown
    return times >= ONE_HALF_SHARE * shown and chance * classes <= MOST_CHANCE


def _of_many_groups(groups: Any, most: int) -> Any:
    """At most so many places in groups, int (n,): a random one of each group, then another one of each, and so on."""
    shuffled = np.random.default_rng(0).permutation(len(groups))
    order = np.argsort(groups[shuffled], kind="stable")
    by_group = groups[shuffled][order]
    turn = np.arange(len(groups)) - np.searchsorted(by_group, by_group)
    return np.sort(shuffled[order][np.argsort(turn, kind="stable")[:most]])


def _middles(data: TrainingSet, some: Any, axis: int) -> Any:
    """How far the middle of each class lies from that of the picture along axis, in parts of its side.

    float (n, classes), NaN where a picture does not show the class. some: int (n,), places in data.rows.
    """
    middles = []
    for place in some:
        lines = np.moveaxis(data.whole_mask(place), axis, 0)
        side_px = len(lines)
        numbered = np.arange(side_px)[:, None] * (UNLABELLED + 1) + lines
        pixels = np.bincount(numbered.ravel(), minlength=side_px * (UNLABELLED + 1)).reshape(side_px, -1)
        pixels = pixels[:, : len(data.names)]
        shown = pixels.sum(axis=0)
        sums = (np.arange(side_px) - (side_px - 1) / 2) @ pixels
        middles.append(np.where(shown > 0, sums / (side_px * np.maximum(1, shown)), np.nan))
    return np.array(middles)


def _means(middles: Any, groups: Any) -> Any:
    """The mean of each group's middles: float (groups, classes). NaN where no example of a group shows the class."""
    numbers, group_of = np.unique(groups, return_inverse=True)
    sums, counts = np.zeros((2, len(numbers), middles.shape[1]))
    np.add.at(sums, group_of, np.nan_to_num(middles))
    np.add.at(counts, group_of, ~np.isnan(middles))
    return np.where(counts > 0, sums / np.maximum(1, counts), np.nan)


def _of_sides(left: str, right: str) -> Finding:
    return finding(
        "not_mirrored",
        Severity.INFO,
        f"Class {left!r} lies in the left half of the pictures and class {right!r} in the right half, so training does "
        "not show the pictures mirrored.",
        "Post mirror=always if a mirrored picture would still show each class where it is.",
    )
