"""Classes that a model can hardly tell apart."""

from __future__ import annotations

import numpy as np
import pytest

from trainer_worker.classification.mixed_up import mixed_up, mixed_up_warnings
from trainer_worker.classification.scores import ClassScores, Predictions, score_classes


def scores_of(confusion: list[list[int]]) -> ClassScores:
    pairs = [(i, j) for i, row in enumerate(confusion) for j, count in enumerate(row) for _ in range(count)]
    truth, named = np.array(pairs).T
    answers = np.eye(len(confusion))[named]
    return score_classes(Predictions(truth, answers, np.arange(len(truth))), list("abcdefgh"[: len(confusion)]))


@pytest.mark.parametrize(
    ("confusion", "found"),
    [
        ([[12, 8, 0], [9, 11, 0], [0, 0, 20]], [(0, 1, 17, 40)]),
        ([[10, 0, 10], [0, 20, 0], [10, 0, 10]], [(0, 2, 20, 40)]),
        ([[16, 4, 0], [4, 16, 0], [0, 0, 20]], []),
        # All of one class taken for the other: not_recognised says so.
        ([[20, 0], [20, 0]], []),
        # Too few pictures to tell.
        ([[3, 2], [3, 3]], []),
        ([[5, 4], [4, 6]], []),
        ([[10, 10, 0, 0], [10, 10, 0, 0], [0, 0, 10, 9], [0, 0, 9, 10]], [(0, 1, 20, 40), (2, 3, 18, 38)]),
    ],
)
def test_pairs_that_guesses_explain(confusion: list[list[int]], found: list[tuple[int, ...]]) -> None:
    assert mixed_up(scores_of(confusion)) == found


def test_the_warning_says_what_may_be_done() -> None:
    scores = scores_of([[12, 8, 0], [9, 11, 0], [0, 0, 20]])
    (warning,) = mixed_up_warnings(scores, mirrored=True)
    assert "'a' and 'b' (17 of 40 pictures got the other's label)" in warning
    assert "If one looks like the other in a mirror, train again with mirror=never. Otherwise see whether" in warning
    (warning,) = mixed_up_warnings(scores, mirrored=False)
    assert "mirror" not in warning
    assert "See whether" in warning
    assert not mixed_up_warnings(scores_of([[20, 0], [0, 20]]), mirrored=True)


def test_many_pairs_are_counted() -> None:
    confusion = np.kron(np.eye(4, dtype=int), np.full((2, 2), 10)).tolist()
    (warning,) = mixed_up_warnings(scores_of(confusion), mirrored=True)
    assert warning.count("got the other's label") == 3
    assert ", and 1 pairs more" not in warning
    assert ", and 1 more pair" in warning
