"""Decides in which views a segmenter's pictures are trained on.

Every view of a picture under a microscope could be another picture of the set, and a model gains from all eight. A
street that stands on its head could not, and a model that has to learn it knows the street less well. Mirrored left to
right, most pictures still look like their set, unless their classes differ by side, as lungs do. The fewer ways a
picture may lie, the more lights it is shown in (docs/choices.md, "Views of a segmenter").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from protocol.data_report import Finding, Severity, finding
from protocol.options import Mirror
from trainer_worker.layouts.mirroring import may_mirror
from trainer_worker.segmentation.classes import UNLABELLED
from trainer_worker.segmentation.folders import Examples
from trainer_worker.segmentation.skip_features import SkipFeatures
from trainer_worker.segmentation.views import LIES, MIRRORED, SWAPPED, UPSIDE_DOWN, lies_within, views_of

#: So many training examples, no two of one picture or series, tell by their features whether a view looks like the set.
#: So many others tell by the places of their classes.
SAMPLED, SAMPLED_MASKS = 24, 240
#: A set of fewer pictures that are neither copies nor a series tells nothing. It is taken to have an upper side.
FEWEST_TELLING = 8
#: A view does not look like the set if its differences from the pictures are more alike than this (see likeness).
MOST_ALIKE = 0.05
#: A class belongs to one half of the pictures if its middle is there in this share of them.
ONE_HALF_SHARE = 0.9

_SENTENCES = {
    0: "Pictures were trained on as they are.",
    MIRRORED: "Pictures were trained on as they are, and mirrored left to right.",
    UPSIDE_DOWN: "Pictures were trained on as they are, and upside down.",
    MIRRORED | UPSIDE_DOWN: "Pictures were trained on as they are, mirrored left to right, and upside down.",
    MIRRORED | UPSIDE_DOWN | SWAPPED: "Pictures were trained on mirrored and turned in all eight ways.",
}


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

    @property
    def shows_places(self) -> bool:
        """Whether a place in an example is a place in its picture. In a tile it is not."""
        return not self.examples.tiles


def choose_views(data: TrainingSet, mirror: Mirror) -> ViewChoice:
    """The views to train on. mirror: the option, which decides about left and right unless it is "auto".

    With "auto", first the names of the classes decide (mirroring.py), and then their places. The same examples give the
    same choice, but for the rounding of features on another kind of machine.
    """
    mirrored = may_mirror(data.names[1:], mirror)
    findings: tuple[Finding, ...] = ()
    if mirrored and mirror == "auto":
        left, right = _classes_of_halves(data, axis=1)
        if left and right:
            mirrored, findings = False, (_of_sides(left[0], right[0]),)
    changes = (MIRRORED if mirrored else 0) | (UPSIDE_DOWN if _looks_the_same(data, UPSIDE_DOWN) else 0)
    if changes == MIRRORED | UPSIDE_DOWN and _looks_the_same(data, SWAPPED):
        changes |= SWAPPED
    views = views_of(lies_within(changes))
    lights = "" if max(views) < LIES else " Each was also shown in other lights."
    return ViewChoice(views, _SENTENCES[changes] + lights, findings)


def _looks_the_same(data: TrainingSet, view: int) -> bool:
    """Whether the pictures of the set could as well stand in that view, by their features and by their masks."""
    if len(np.unique(data.groups)) < FEWEST_TELLING or (view == UPSIDE_DOWN and any(_classes_of_halves(data, axis=0))):
        return False
    return view_likeness(data, view) <= MOST_ALIKE


def view_likeness(data: TrainingSet, view: int) -> float:
    """The `likeness` of the changes that a view makes to the encoder's mean features at its last stride."""
    _, one_of_each_group = np.unique(data.groups, return_index=True)
    some = one_of_each_group[_spread(len(one_of_each_group), SAMPLED)]
    rows = np.array(data.rows)[some]
    wanted = [(rows, np.zeros_like(rows)), (rows, np.full_like(rows, view))]
    own, changed = (maps[-1].astype(np.float32).mean(axis=(1, 2)) for maps in data.skips.batches(wanted))
    spread = np.concatenate([own, changed]).std(axis=0) + 1e-3
    return likeness((own - changed) / spread)


def likeness(changes: Any) -> float:
    """How alike changes are: 1 if all are equal, about 0 if they have nothing in common. changes: (n, features), n > 1.

    It is the mean product of two changes, divided by the mean square of one. If a set looks the same in a view, each
    change is as likely as its opposite, so the products cancel out.
    """
    count, squares = len(changes), float((changes**2).sum())
    products = float((changes.sum(axis=0) ** 2).sum()) - squares
    return products / (squares * (count - 1)) if squares else 0.0


def _classes_of_halves(data: TrainingSet, axis: int) -> tuple[list[str], list[str]]:
    """The classes that belong to the upper and to the lower half (axis 0), or to the left and the right one (axis 1).

    The background belongs to neither, and tiles don't tell.
    """
    before: list[str] = []
    after: list[str] = []
    if not data.shows_places:
        return before, after
    some = _spread(len(data.rows), SAMPLED_MASKS)
    middles, groups = _middles(data, some, axis), data.groups[some]
    for number, name in enumerate(data.names[1:], start=1):
        shown = ~np.isnan(middles[:, number])
        means = np.array([middles[shown & (groups == group), number].mean() for group in np.unique(groups[shown])])
        if len(means) >= FEWEST_TELLING:
            if (means < 0).mean() >= ONE_HALF_SHARE:
                before.append(name)
            elif (means > 0).mean() >= ONE_HALF_SHARE:
                after.append(name)
    return before, after


def _spread(count: int, most: int) -> Any:
    """At most so many of the numbers below count, at even distances from the first to the last."""
    return np.unique(np.linspace(0, count - 1, most).round().astype(int))


def _middles(data: TrainingSet, some: Any, axis: int) -> Any:
    """How far the middle of each class lies from that of the picture, in pixels along axis: float (n, classes).

    some: int (n,), places in data.rows. NaN where an example does not show the class.
    """
    middles = np.full((len(some), len(data.names)), np.nan)
    for place, number_of_row in enumerate(some):
        mask = data.examples.masks[data.rows[number_of_row]]
        from_middle_px = np.arange(len(mask)) - (len(mask) - 1) / 2
        for number in np.unique(mask[mask != UNLABELLED]).tolist():
            pixels = (mask == number).sum(axis=1 - axis)
            middles[place, number] = (pixels * from_middle_px).sum() / pixels.sum()
    return middles


def _of_sides(left: str, right: str) -> Finding:
    return finding(
        "not_mirrored",
        Severity.INFO,
        f"Class {left!r} lies in the left half of the pictures and class {right!r} in the right half, so training does "
        "not show the pictures mirrored.",
        "Post mirror=always if a mirrored picture would still show each class where it is.",
    )
