"""Scores of classes against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from trainer_worker.classification.score_warnings import score_warnings
from trainer_worker.classification.scores import Predictions, accuracy, balanced_accuracy, score_classes
from trainer_worker.scores.intervals import NOT_ENOUGH


def alone(truth: np.ndarray, probabilities: np.ndarray) -> Predictions:
    """Predictions for pictures none of which is like another."""
    return Predictions(truth, probabilities, np.arange(len(truth)))


def test_a_class_that_is_never_named_costs_more_than_its_share() -> None:
    truth = np.array([0] * 9 + [1])
    always_first = np.tile([0.9, 0.1, 0.0], (10, 1))  # class 2 has no image: it counts nothing
    assert accuracy(truth, always_first) == pytest.approx(0.9)
    assert balanced_accuracy(truth, always_first) == pytest.approx(0.5)
    scores = score_classes(alone(truth, always_first), ["much", "little", "none"])
    assert scores.balanced_accuracy == pytest.approx(0.5)
    assert scores.baseline_accuracy == pytest.approx(0.9)
    assert [entry["recall"] for entry in scores.per_class] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("right", "of_each", "said"),
    [
        ([40, 41], 50, []),
        ([27, 26], 50, ["The 100 pictures that score the model can't tell it from guesses"]),
        ([2, 2], 2, ["The 4 pictures that score the model are too few to tell"]),  # chance has that in 1 case of 16
        ([50, 0], 50, ["The 100 pictures", "The model never answers"]),  # always the first class
    ],
)
def test_scores_that_guesses_reach_are_said_to_prove_nothing(right: list[int], of_each: int, said: list[str]) -> None:
    truth = np.repeat([0, 1], of_each)
    named = np.concatenate(
        [
            np.r_[np.full(right[0], 0), np.full(of_each - right[0], 1)],
            np.r_[np.full(right[1], 1), np.full(of_each - right[1], 0)],
        ]
    )
    warnings = score_warnings(score_classes(alone(truth, np.eye(2)[named]), ["a", "b"]), is_mirrored=True)
    assert [warning[: len(start)] for warning, start in zip(warnings, said, strict=True)] == said


def test_intervals_are_those_of_scipy() -> None:
    truth = np.repeat([0, 1], [40, 12])
    named = np.concatenate([np.repeat([0, 1], [36, 4]), np.repeat([1, 0], [9, 3])])
    scores = score_classes(alone(truth, np.eye(2)[named]), ["much", "little"])
    overall = binomtest(45, 52).proportion_ci(method="wilson")
    assert scores.interval == pytest.approx((overall.low, overall.high))
    assert (scores.right, scores.pictures) == (45, 52)
    little = scores.per_class[1]
    recall, precision = (binomtest(9, of).proportion_ci(method="wilson") for of in (12, 13))
    assert (little["recall_low"], little["recall_high"]) == pytest.approx((recall.low, recall.high))
    assert (little["precision_low"], little["precision_high"]) == pytest.approx((precision.low, precision.high))
    assert [entry["verdict"] for entry in scores.per_class] == ["", NOT_ENOUGH]


def test_copies_of_a_picture_count_as_one() -> None:
    truth, named = np.tile([0, 1], 20), np.tile([0, 1], 20)
    named[:4] = 1 - named[:4]
    once = score_classes(alone(truth, np.eye(2)[named]), ["a", "b"])
    four_times = score_classes(
        Predictions(np.repeat(truth, 4), np.eye(2)[np.repeat(named, 4)], np.repeat(np.arange(40), 4)), ["a", "b"]
    )
    assert four_times.interval == pytest.approx(once.interval)
    assert four_times.pictures == 160


def test_the_score_is_said_in_words() -> None:
    truth = np.tile([0, 1], 110)
    named = truth.copy()
    named[:20] = 1 - named[:20]
    scores = score_classes(alone(truth, np.eye(2)[named]), ["a", "b"])
    assert scores.sentence() == "9 of 10 new photos of this kind will be recognised: 86 to 95 %."
    few = score_classes(alone(truth[20:30], np.eye(2)[named[20:30]]), ["a", "b"])
    assert not few.enough
    assert few.sentence().startswith("There are too few photos to tell")
    assert score_classes(alone(truth, np.eye(2)[truth]), ["a", "b"]).sentence() == (
        "All 220 photos that scored the model were recognised. Of new photos of this kind, 98 to 100 % will be."
    )
    named = truth.copy()
    named[0] = 1
    assert score_classes(alone(truth, np.eye(2)[named]), ["a", "b"]).sentence().startswith("99 of 100 new photos")


def test_a_class_that_nothing_was_recognised_of_is_a_warning() -> None:
    truth, named = np.repeat([0, 1, 2], [50, 50, 5]), np.repeat([0, 1, 1], [50, 50, 5])
    (never,) = score_warnings(score_classes(alone(truth, np.eye(3)[named]), ["a", "b", "c\n<b>"]), is_mirrored=True)
    assert never.startswith("The model never answers with these classes: c\\n<b> (5 pictures).")
    named[0] = 2
    (missed,) = score_warnings(score_classes(alone(truth, np.eye(3)[named]), ["a", "b", "c"]), is_mirrored=True)
    assert missed.startswith("No picture of these classes was recognised: c (5 pictures).")
