"""What a segmenter's score means: its interval, words and name, and what is said of classes that were not found."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trainer_worker.scores.intervals import NOT_ENOUGH, bootstrap
from trainer_worker.segmentation.card import FOREGROUND
from trainer_worker.segmentation.headline import (
    DICE,
    DICE_OF_SQUARES,
    describe_classes,
    describe_score,
    headline,
)
from trainer_worker.segmentation.samples import pick
from trainer_worker.segmentation.scores import MaskScores, score_class_masks, score_masks

NAMES = ("background", "red", "blue", "green")


def foreground_scores(pictures: int, wrong_rows: int) -> MaskScores:
    """Masks of 8 of 16 rows each, of which the model misses some."""
    truth = np.zeros((pictures, 16, 16), np.uint8)
    truth[:, :8] = 1
    found = truth.copy()
    found[:, :wrong_rows] = 0
    return score_masks(truth, found)


def class_scores(pictures: int) -> MaskScores:
    """Red is found in all, blue never, green only in the wrong places, and only half of the pictures have any green."""
    truth = np.zeros((pictures, 12, 12), np.uint8)
    truth[:, :3], truth[:, 3:6] = 1, 2
    truth[::2, 6:9] = 3
    found = np.where(truth == 1, 1, 0).astype(np.uint8)
    found[:, 9:] = 3
    return score_class_masks(truth, found, NAMES)


def test_many_pictures_tell_and_few_do_not() -> None:
    many, few = (describe_score(DICE, foreground_scores(pictures, 2)) for pictures in (60, 4))
    value = 2 * 6 / (6 + 8)
    for score in (many, few):
        assert score["value"] == pytest.approx(value)
        assert score["low"] <= value <= score["high"]
        assert (score["method"], score["folds"], score["right"]) == ("held_out", 1, None)
    assert (many["enough"], many["pictures"]) == (True, 60)
    assert "that scored it they overlap by 86 %" in many["sentence"]
    for score in (many, few):  # rounded outwards, so that the range in words holds the one in figures
        likely = f"{math.floor(100 * score['low'])} to {math.ceil(100 * score['high'])} %"
        assert f"overlap by {likely} on average" in score["sentence"]
    assert (few["enough"], few["pictures"]) == (False, 4)
    assert few["sentence"].startswith("There are too few photos to tell how good the model is")
    assert "Dice" not in many["sentence"] + few["sentence"]


def test_a_score_of_squares_has_names_of_its_own() -> None:
    scores = foreground_scores(4, 2)
    score = describe_score(DICE_OF_SQUARES, scores)
    assert score["name"] == "dice_of_squares"
    assert "too few squares of photos" in score["sentence"]
    whole = headline(DICE, scores, describe_score(DICE, scores), 20)
    squares = headline(DICE_OF_SQUARES, scores, score, 20)
    assert {"dice", "dice_low", "dice_high", "iou", "dice_all_pixels"} < whole.keys()
    assert {"dice_of_squares", "dice_of_squares_low", "iou_of_squares", "dice_all_pixels_of_squares"} < squares.keys()
    assert whole.keys() & squares.keys() == {"images"}


def test_each_class_has_an_interval_of_its_own_pictures() -> None:
    classes = describe_classes(class_scores(40))
    assert (classes["red"]["dice"], classes["red"]["dice_high"], classes["red"]["pictures"]) == (1.0, 1.0, 40)
    assert classes["red"]["dice_low"] == pytest.approx(bootstrap([1.0] * 40)[0])
    assert (classes["blue"]["dice"], classes["blue"]["dice_low"]) == (0.0, 0.0)
    assert classes["green"]["pictures"] == 20
    assert {entry["verdict"] for entry in classes.values()} == {""}


def test_nothing_is_said_of_a_class_that_few_or_no_pictures_show() -> None:
    few = describe_classes(class_scores(4))
    assert few["green"]["verdict"] == NOT_ENOUGH
    truth = np.zeros((5, 8, 8), np.uint8)
    truth[:, :4] = 1
    none = describe_classes(score_class_masks(truth, truth, NAMES))["blue"]
    assert (none["dice_low"], none["dice_high"], none["pictures"], none["verdict"]) == (None, None, 0, NOT_ENOUGH)


def test_the_interval_of_a_class_weighs_pictures_by_their_pixels() -> None:
    """A large picture that was missed counts for as much as its pixels do, as in the Dice of all pixels."""
    truth = np.zeros((10, 20, 20), np.uint8)
    truth[:, 0, :2] = 1
    truth[0, 10:] = 1
    found = truth.copy()
    found[0] = 0
    scores = score_masks(truth, found)
    entry = describe_classes(scores)["foreground"]
    assert entry["dice"] < 0.2
    assert entry["dice_low"] <= entry["dice"] <= entry["dice_high"]


def test_a_class_that_is_never_found_is_a_warning() -> None:
    scores = class_scores(6)
    never, misplaced = scores.warnings(score_masks(np.ones((1, 2, 2)), np.zeros((1, 2, 2))))
    assert never.startswith("The model finds nothing of 'blue' (in 6) of the held-out pictures.")
    assert misplaced.startswith("The model marks only wrong pixels as 'green' (in 3) of the held-out pictures.")
    nothing = score_masks(np.ones((3, 4, 4)), np.zeros((3, 4, 4)))
    assert any("finds nothing of 'foreground' (in 3)" in warning for warning in nothing.warnings(nothing))
    assert foreground_scores(6, 2).warnings(nothing) == []


def test_a_warning_names_no_more_than_a_few_classes() -> None:
    names = ["background", *(f"class {number}" for number in range(1, 10))]
    truth = np.repeat(np.arange(10, dtype=np.uint8), 10).reshape(1, 10, 10)
    scores = score_class_masks(truth, np.zeros_like(truth), names)
    *_, warning = scores.warnings(scores)
    assert "'class 5' (in 1) and 4 more of the held-out pictures" in warning


def test_card_and_samples_of_a_first_model_for_tiles_speak_of_squares() -> None:
    """It is scored on squares only, so no number of it may be called the Dice of pictures."""
    scores = foreground_scores(4, 2)
    entries = [{"file": f"{number}.jpg", "dice_of_squares": dice} for number, dice in enumerate((0.5, 0.2, 0.9))]
    metrics = {
        "held_out": entries,
        "score": describe_score(DICE_OF_SQUARES, scores),
        "baseline": {"all_foreground_dice": 0.1},
    }
    assert [entry["file"] for entry in pick(entries)] == ["1.jpg", "0.jpg", "2.jpg"]
    text = "\n".join(FOREGROUND.scores(metrics))
    assert "the mean of 4 squares of held-out pictures" in text
    assert "Worst squares of held-out pictures (Dice):\n\n- 1.jpg: 20.0 %" in text
