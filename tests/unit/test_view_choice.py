"""In which views a segmenter's pictures are trained on: only in those in which they still look like their set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trainer_worker.attempt.job import Cancelled
from trainer_worker.segmentation.classes import UNLABELLED
from trainer_worker.segmentation.folders import Examples
from trainer_worker.segmentation.skip_features import SkipFeatures
from trainer_worker.segmentation.view_choice import FEWEST_TELLING, TrainingSet, ViewChoice, choose_views, likeness
from trainer_worker.segmentation.views import LIES, MIRRORED, MOST_VIEWS, UPSIDE_DOWN, lies_within, picture_in, views_of

SIDE, PICTURES = 16, 24
EVERY_LIE = tuple(range(LIES))


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
            asked = zip(rows, views, strict=True)
            shown = np.stack([picture_in(view, self._pictures[row], row) for row, view in asked])
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


def training_set(pictures: Any, masks: Any = None, together: Any = None, names: Sequence[str] = NAMES) -> TrainingSet:
    masks = masks_of((slice(4, 12), slice(4, 12))) if masks is None else masks
    examples = Examples(pictures, masks, np.arange(PICTURES), np.zeros((PICTURES, 16, 16, 3), np.uint8))
    groups = np.arange(PICTURES) if together is None else together
    return TrainingSet(PlainFeatures(pictures), examples, range(PICTURES), groups, names)


def lies(choice: ViewChoice) -> tuple[int, ...]:
    """How the pictures lie in the views, and that each of them is also there in its own light."""
    found = {view % LIES for view in choice.views}
    assert found <= set(choice.views)
    return tuple(sorted(found))


TOP, BOTTOM = (slice(0, 6), slice(0, SIDE)), (slice(10, SIDE), slice(0, SIDE))
LEFT, RIGHT = (slice(0, SIDE), slice(0, 6)), (slice(0, SIDE), slice(10, SIDE))


def test_pictures_without_an_upper_side_are_trained_on_in_all_views() -> None:
    choice = choose_views(training_set(noise()), "auto")
    assert lies(choice) == EVERY_LIE
    assert choice.sentence == "The model learned from the pictures in all eight ways to turn and mirror them."


def test_pictures_with_an_upper_side_are_only_mirrored_left_to_right() -> None:
    choice = choose_views(training_set(under_a_sky()), "auto")
    assert lies(choice) == (0, 1)
    assert choice.sentence == (
        "The model learned from the pictures as they are, and mirrored left to right. Each was also shown in other "
        "lights."
    )
    assert not choice.findings


def test_pictures_that_lie_on_their_sides_are_not_turned() -> None:
    """Light from the left is fine for mirrors, but nothing that lies is turned upright."""
    lying = under_a_sky().swapaxes(1, 2)
    assert lying.shape[1] == SIDE
    assert lies(choose_views(training_set(lying), "auto")) == (0, 1, 2, 3)


@pytest.mark.parametrize("box", [TOP, BOTTOM])
def test_a_class_that_is_always_up_or_down_gives_pictures_an_upper_side(box: tuple[slice, slice]) -> None:
    assert lies(choose_views(training_set(noise(), masks_of(box)), "auto")) == (0, 1)


def test_one_series_of_many_pictures_tells_nothing() -> None:
    series = np.minimum(np.arange(PICTURES), FEWEST_TELLING - 2)
    assert lies(choose_views(training_set(noise(), together=series), "auto")) == (0, 1)
    one_more = np.minimum(np.arange(PICTURES), FEWEST_TELLING - 1)
    assert UPSIDE_DOWN in lies(choose_views(training_set(noise(), together=one_more), "auto"))


def test_classes_that_differ_by_side_are_not_mirrored_unless_the_caller_says_so() -> None:
    data = training_set(noise(), masks_of(LEFT, RIGHT))
    choice = choose_views(data, "auto")
    assert lies(choice) == (0,)
    (found,) = choice.findings
    assert found.code == "not_mirrored"
    assert "'one' lies in the left half" in found.sentence
    assert "'two' in the right half" in found.sentence
    asked = choose_views(data, "always")
    assert lies(asked) == EVERY_LIE
    assert not asked.findings


def test_classes_whose_names_differ_by_side_are_not_mirrored() -> None:
    """The report on the folder says so before a pixel is read, see mirror_findings."""
    names = ("background", "left lung", "right lung")
    for told in (training_set(noise(), masks_of(LEFT, RIGHT), names=names), cut(noise(), masks_of(LEFT, RIGHT), names)):
        choice = choose_views(told, "auto")
        assert lies(choice) == (0,)
        assert not choice.findings


def test_a_single_class_on_one_side_is_mirrored() -> None:
    """It may be by chance, and then mirroring helps. What no mirror may confuse are two classes."""
    assert lies(choose_views(training_set(noise(), masks_of(LEFT)), "auto")) == EVERY_LIE


@pytest.mark.parametrize("pictures", [noise(), under_a_sky()], ids=["noise", "sky"])
def test_without_mirroring_no_view_is_a_mirror_image(pictures: Any) -> None:
    """Upside down, a left hand is a right one, and what turns clockwise turns the other way."""
    assert choose_views(training_set(pictures), "never").views == views_of((0,))


def test_frames_of_one_long_series_do_not_hide_the_other_pictures() -> None:
    """A thousand frames of one film, with a few photos somewhere between them."""
    frames = 1_000
    groups = np.zeros(frames, np.int64)
    groups[501 : 501 + FEWEST_TELLING] = np.arange(1, FEWEST_TELLING + 1)
    pictures, masks = np.resize(noise(), (frames, SIDE, SIDE, 3)), np.resize(masks_of(TOP), (frames, SIDE, SIDE))
    examples = Examples(pictures, np.zeros_like(masks), np.arange(frames), np.zeros((frames, 16, 16, 3), np.uint8))
    data = TrainingSet(PlainFeatures(pictures), examples, range(frames), groups, NAMES)
    assert MIRRORED in lies(choose_views(data, "auto"))
    shown = TrainingSet(PlainFeatures(pictures), replace(examples, masks=masks), range(frames), groups, NAMES)
    assert lies(choose_views(shown, "auto")) == (0, 1)


def test_many_classes_that_are_seldom_shown_lie_in_one_half_by_chance() -> None:
    random, classes = np.random.default_rng(2), 60
    masks = np.zeros((PICTURES, SIDE, SIDE), np.uint8)
    for number in range(1, classes + 1):
        for picture in random.choice(PICTURES, FEWEST_TELLING, replace=False):
            masks[picture, *random.integers(SIDE, size=2)] = number
    names = ("background", *(f"class {number}" for number in range(1, classes + 1)))
    choice = choose_views(training_set(noise(), masks, names=names), "auto")
    assert lies(choice) == EVERY_LIE
    assert not choice.findings


def test_pixels_that_nobody_labelled_have_no_place() -> None:
    masks = np.full((PICTURES, SIDE, SIDE), UNLABELLED, np.uint8)
    masks[:, :4, 2:14], masks[::2, 8:, 2:14] = 1, 0
    assert lies(choose_views(training_set(noise(), masks), "auto")) == (0, 1)
    assert lies(choose_views(training_set(noise(), np.full_like(masks, UNLABELLED)), "auto")) == EVERY_LIE


@pytest.mark.parametrize("pictures", [noise(), under_a_sky(), np.zeros_like(noise())])
def test_a_cancel_ends_the_choice(pictures: Any) -> None:
    def cancel() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        choose_views(training_set(pictures), "auto", cancel)


def test_pictures_are_not_turned_where_there_is_no_time_to_see_whether_they_may_be() -> None:
    def is_encoded() -> None:
        raise AssertionError

    choice = choose_views(training_set(noise()), "auto", is_encoded, has_time=False)
    assert choice.views == views_of(lies_within(MIRRORED))
    assert "mirrored left to right. The time budget left no time to see whether they could as well" in choice.sentence


def cut(pictures: Any, masks: Any, names: Sequence[str] = NAMES) -> TrainingSet:
    """Two tiles of each picture, each of them full of class 1. masks: of the whole pictures."""
    owners, tiles = np.repeat(np.arange(PICTURES), 2), np.ones((2 * PICTURES, SIDE, SIDE), np.uint8)
    small = np.zeros((PICTURES, 16, 16, 3), np.uint8)
    examples = Examples(np.repeat(pictures, 2, axis=0), tiles, owners, small, tiles=2, thinned=list(masks))
    return TrainingSet(PlainFeatures(examples.pictures), examples, range(len(owners)), np.arange(PICTURES), names)


def test_of_tiles_the_places_in_their_pictures_tell() -> None:
    middle = masks_of((slice(4, 12), slice(4, 12)))
    assert lies(choose_views(cut(noise(), middle), "auto")) == EVERY_LIE
    assert lies(choose_views(cut(under_a_sky(), middle), "auto")) == (0, 1)
    assert lies(choose_views(cut(noise(), masks_of(TOP)), "auto")) == (0, 1)
    choice = choose_views(cut(noise(), masks_of(LEFT, RIGHT)), "auto")
    assert lies(choice) == (0,)
    assert "'one' lies in the left half" in choice.findings[0].sentence


def test_a_set_whose_pictures_have_several_sizes_shows_its_places() -> None:
    left, right = masks_of(LEFT, RIGHT), [mask[:, ::-1].repeat(3, axis=0) for mask in masks_of(LEFT, RIGHT)]
    wide = [np.tile(mask, (1, 2)) for mask in masks_of(TOP)]
    assert lies(choose_views(cut(noise(), [*left[:12], *right[12:]]), "auto")) == EVERY_LIE
    assert lies(choose_views(cut(noise(), [*masks_of(TOP)[:12], *wide[12:]]), "auto")) == (0, 1)


def test_fewer_lies_leave_room_for_more_lights() -> None:
    assert lies_within(0) == (0,)
    assert lies_within(MIRRORED) == (0, 1)
    assert lies_within(UPSIDE_DOWN) == (0, 2)
    assert lies_within(MIRRORED | UPSIDE_DOWN) == (0, 1, 2, 3)
    assert views_of((0,)) == (0, 8, 16, 24)
    assert views_of((0, 1)) == (0, 1, 8, 9, 16, 17, 24, 25)
    assert views_of((0, 1, 2, 3)) == (0, 1, 2, 3, 8, 9, 10, 11)
    assert views_of(EVERY_LIE) == EVERY_LIE
    assert len(views_of((0, 1))) == MOST_VIEWS


def test_a_light_changes_colours_and_no_places() -> None:
    picture = np.full((SIDE, SIDE, 3), 90, np.uint8)
    picture[:4, :8] = 160
    shown = picture_in(LIES, picture, row=3)
    assert shown.dtype == np.uint8
    assert len(np.unique(shown[:4, :8].reshape(-1, 3), axis=0)) == 1
    assert (shown[0, 0].astype(int) > shown[8, 8]).all()
    np.testing.assert_array_equal(shown, picture_in(LIES, picture, row=3))
    assert (shown != picture_in(LIES, picture, row=4)).any()
    assert (shown != picture_in(2 * LIES, picture, row=3)).any()
    other_side = picture_in(LIES | MIRRORED, picture, row=3)
    assert len(np.unique(other_side[:4, 8:].reshape(-1, 3), axis=0)) == 1


def test_a_set_of_grey_pictures_stays_grey() -> None:
    grey = under_a_sky()[..., :1].repeat(3, axis=-1)
    choice = choose_views(training_set(grey), "auto")
    assert choice.views == views_of((0, 1), is_grey=True)
    assert choice.sentence.endswith("Each was also shown in other lights, as grey as it is.")
    shown = [picture_in(view, grey[3], row=3) for view in choice.views]
    assert all((picture == picture[..., :1]).all() for picture in shown)
    assert len({picture.mean() for picture in shown[::2]}) == 4  # and its lights differ
    grey[20, 5, 5] += np.array([0, 0, 9], np.uint8)
    assert choose_views(training_set(grey), "auto").views == views_of((0, 1))


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
