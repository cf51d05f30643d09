"""What each demo trains on, and with which options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from demo.digits_data import SCANS, make_digits_project
from demo.segmentation_data import make_segmentation_project

SEGMENTATION_SEED = 1

#: In a segmentation project: five held-out pictures beside their masks, to look at.
PREVIEW = "preview.png"


class Score(NamedTuple):
    """The keys of metrics.json for the main score, and for the score of a model that has learned nothing."""

    name: str
    final_key: str
    baseline_key: str
    baseline_words: str


@dataclass(frozen=True)
class Recipe:
    """make: writes `images` pictures into a folder, always the same ones. options: form fields of the POST."""

    train_type: str
    folder: str
    images: int
    make: Callable[[Path, int], None]
    what: str
    options: Mapping[str, str]
    score: Score


RECIPES = {
    "classification": Recipe(
        train_type="classification",
        folder="demo-digits",
        images=SCANS,
        make=make_digits_project,
        what="handwritten digits in ten class folders",
        # The default of 224 px is for photos; see docs/choices.md, "Picture size of the demo".
        options={"imageSize": "96"},
        score=Score("accuracy", "accuracy", "majority_class_accuracy", "always naming the commonest class"),
    ),
    "segmentation": Recipe(
        train_type="segmentation",
        folder="demo-digits-on-photos",
        images=160,
        make=lambda folder, images: make_segmentation_project(folder, images, SEGMENTATION_SEED),
        what="photos with digits pasted on them, and their masks",
        # See docs/choices.md, "Picture size of the demo".
        options={"imageSize": "160"},
        score=Score("Dice", "dice", "all_foreground_dice", "marking everything"),
    ),
}
