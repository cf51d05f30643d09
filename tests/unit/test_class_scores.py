"""Scores of classes against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trainer_worker.classification.scores import accuracy, balanced_accuracy, score_classes


def test_a_class_that_is_never_named_costs_more_than_its_share() -> None:
    truth = np.array([0] * 9 + [1])
    always_first = np.tile([0.9, 0.1, 0.0], (10, 1))  # class 2 has no image: it counts nothing
    assert accuracy(truth, always_first) == pytest.approx(0.9)
    assert balanced_accuracy(truth, always_first) == pytest.approx(0.5)
    scores = score_classes(truth, always_first, ["much", "little", "none"])
    assert scores.balanced_accuracy == pytest.approx(0.5)
    assert scores.baseline_accuracy == pytest.approx(0.9)
    assert [entry["recall"] for entry in scores.per_class] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("right", "of_each", "said"),
    [
        ([40, 41], 50, []),
        ([27, 26], 50, ["The 100 held-out images can't tell the model from guesses"]),
        ([2, 2], 2, ["The 4 held-out images are too few to tell"]),  # chance has that in 1 case of 16
        ([50, 0], 50, ["The 100 held-out images"]),  # always the first class
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
    warnings = score_classes(truth, np.eye(2)[named], ["a", "b"]).warnings()
    assert [warning[: len(start)] for warning, start in zip(warnings, said, strict=True)] == said
