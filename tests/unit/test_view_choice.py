"""In which views a segmenter's pictures are trained on: only in those in which they still look like their set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from trainer_worker.segmentation.folders import Examples
from trainer_worker.segmentation.skip_features import SkipFeatures
from trainer_worker.segmentation.view_choice import FEWEST_TELLING, TrainingSet, choose_views, likeness
from trainer_worker.segmentation.views import MIRRORED, UPSIDE_DOWN, VIEWS, view_of, views_within

SIDE, PICTURES = 16, 24
EVERY_VIEW = tuple(range(VIEWS))


def edges(batch: Any, training: bool) -> list[Any]:
    """An "encoder" that tells edges where a picture gets darker downwards from those where it gets darker to the right,
    and both from the opposite ones."""
    down, right = batch[:, :-1, :-1] - batch[:, 1:, :-1], batch[:, :-1, :-1] - batch[:, :-1, 1:]
    return [np.maximum(0, np.concatenate([down, -down, right, -right], axis=-1))]


class PlainFeatures(SkipFeatures):
    """SkipFeatures without TensorFlow."""

    def __init__(self, pictures: Any) -> None:
        self._pictures = pictures

    def batches(self, wanted: Any) -> Any:
        for rows, views in wanted:
            shown = np.stack([view_of(self._pictures[row], view) for row, view in zip(rows, views, strict=True)])
            yield edges(shown.astype(np.float32), training=False)


def noise(seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 200, (PICTURES, SIDE, SIDE, 3)).astype(np.uint8)


def under_a_sky(seed: int = 0) -> Any:
    """Noise that is brighter at its top."""
    return (noise(seed) // 2 + np.linspace(130, 0, SIDE)[None, :, None, None]).astype(np.uint8)


def masks_of(*boxes: tuple[slice, slice]) -> Any:
    """Class 1 in the first box, class 2 in the second one, in every picture."""
    masks = np.zeros((PICTURES, SIDE, SIDE), np.uint8)
    for number, box in enumerate(boxes, start=1):
        masks[:, *box] = number
    return masks


NAMES = ("background", "one", "two")


def training_set(
    pictures: Any, masks: Any = None, together: Any = None, tiles: int = 0, names: Sequence[str] = NAMES
) -> TrainingSet:
    masks = masks_of((slice(4, 12), slice(4, 12))) if masks is None else masks
    examples = Examples(pictures, masks, np.arange(PICTURES), np.zeros((PICTURES, 16, 16, 3), np.uint8), tiles=tiles)
    groups = np.arange(PICTURES) if together is None else together
    return TrainingSet(PlainFeatures(pictures), examples, range(PICTURES), groups, names)


TOP, BOTTOM = (slice(0, 6), slice(0, SIDE)), (slice(10, SIDE), slice(0, SIDE))
LEFT, RIGHT = (slice(0, SIDE), slice(0, 6)), (slice(0, SIDE), slice(10, SIDE))


def test_pictures_without_an_upper_side_are_trained_on_in_all_views() -> None:
    choice = choose_views(training_set(noise()), "auto")
    assert choice.views == EVERY_VIEW
    assert "eight" in choice.sentence


def test_pictures_with_an_upper_side_are_only_mirrored_left_to_right() -> None:
    choice = choose_views(training_set(under_a_sky()), "auto")
    assert choice.views == (0, 1)
    assert choice.sentence == "Pictures were trained on as they are, and mirrored left to right."
    assert not choice.findings


def test_pictures_that_lie_on_their_sides_are_not_turned() -> None:
    """Light from the left is fine for mirrors, but nothing that lies is turned upright."""
    lying = under_a_sky().swapaxes(1, 2)
    assert lying.shape[1] == SIDE
    assert choose_views(training_set(lying), "auto").views == (0, 1, 2, 3)


@pytest.mark.parametrize("box", [TOP, BOTTOM])
def test_a_class_that_is_always_up_or_down_gives_pictures_an_upper_side(box: tuple[slice, slice]) -> None:
    assert choose_views(training_set(noise(), masks_of(box)), "auto").views == (0, 1)


def test_one_series_of_many_pictures_tells_nothing() -> None:
    series = np.minimum(np.arange(PICTURES), FEWEST_TELLING - 2)
    assert choose_views(training_set(noise(), together=series), "auto").views == (0, 1)
    one_more = np.minimum(np.arange(PICTURES), FEWEST_TELLING - 1)
    assert UPSIDE_DOWN in choose_views(training_set(noise(), together=one_more), "auto").views


def test_classes_that_differ_by_side_are_not_mirrored_unless_the_caller_says_so() -> None:
    data = training_set(noise(), masks_of(LEFT, RIGHT))
    choice = choose_views(data, "auto")
    assert choice.views == (0, 2)
    (found,) = choice.findings
    assert found.code == "not_mirrored"
    assert "'one' lies in the left half" in found.sentence
    assert "'two' in the right half" in found.sentence
    asked = choose_views(data, "always")
    assert asked.views == EVERY_VIEW
    assert not asked.findings


@pytest.mark.parametrize("tiles", [0, 4])
def test_classes_whose_names_differ_by_side_are_not_mirrored(tiles: int) -> None:
    """The report on the folder says so before a pixel is read, see mirror_findings."""
    names = ("background", "left lung", "right lung")
    choice = choose_views(training_set(noise(), masks_of(LEFT, RIGHT), tiles=tiles, names=names), "auto")
    assert choice.views == (0, 2)
    assert not choice.findings


def test_a_single_class_on_one_side_is_mirrored() -> None:
    """It may be by chance, and then mirroring helps. What no mirror may confuse are two classes."""
    assert choose_views(training_set(noise(), masks_of(LEFT)), "auto").views == EVERY_VIEW


def test_mirror_never_is_heeded() -> None:
    assert choose_views(training_set(noise()), "never").views == (0, 2)
    assert choose_views(training_set(under_a_sky()), "never").views == (0,)


def test_places_in_tiles_tell_nothing() -> None:
    assert choose_views(training_set(noise(), masks_of(LEFT, RIGHT), tiles=4), "auto").views == EVERY_VIEW
    assert choose_views(training_set(noise(), masks_of(TOP), tiles=4), "auto").views == EVERY_VIEW
    assert choose_views(training_set(under_a_sky(), tiles=4), "auto").views == (0, 1)


def test_views_within_some_changes() -> None:
    assert views_within(0) == (0,)
    assert views_within(MIRRORED) == (0, 1)
    assert views_within(UPSIDE_DOWN) == (0, 2)
    assert views_within(MIRRORED | UPSIDE_DOWN) == (0, 1, 2, 3)


def test_likeness_of_changes() -> None:
    random = np.random.default_rng(1)
    same, different = np.ones((10, 5)), random.normal(size=(200, 5))
    groups = np.arange(200)
    assert likeness(same, groups[:10]) == pytest.approx(1.0)
    assert abs(likeness(different, groups)) < 0.02
    assert likeness(different + 1, groups) == pytest.approx(0.5, abs=0.1)
    assert likeness(np.zeros((10, 5)), groups[:10]) == 0.0
    # A group's changes are averaged, so a hundred frames of one series count once.
    assert likeness(np.concatenate([same, -same]), np.repeat([0, 1], 10)) == pytest.approx(-1.0)
