"""What is said of the classes that a model does not know, or can hardly tell apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from trainer_worker.classification.score_warnings import mixed_up, score_warnings
from trainer_worker.classification.scores import ClassScores, Predictions, score_classes


def scores_of(confusion: list[list[int]], labels: Sequence[str] = "abcdefgh") -> ClassScores:
    pairs = [(i, j) for i, row in enumerate(confusion) for j, count in enumerate(row) for _ in range(count)]
    truth, named = np.array(pairs).T
    answers = np.eye(len(confusion))[named]
    return score_classes(Predictions(truth, answers, np.arange(len(truth))), labels[: len(confusion)])


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


MIRRORS = "If one class looks like another in a mirror, train again with mirror=never."
#: The first two of four classes are mixed up, and the model does better than guesses.
MIXED = [[12, 8, 0, 0], [9, 11, 0, 0], [0, 0, 20, 0], [0, 0, 0, 20]]


def test_the_warning_says_what_may_be_done() -> None:
    (warning,) = score_warnings(scores_of(MIXED), is_mirrored=True)
    assert "'a' and 'b' (17 of 40 pictures got the other's label)" in warning
    assert "See whether their folders hold" in warning
    assert warning.endswith(MIRRORS)
    (warning,) = score_warnings(scores_of(MIXED), is_mirrored=False)
    assert "mirror" not in warning
    assert not score_warnings(scores_of([[20, 0], [0, 20]]), is_mirrored=True)


def test_many_pairs_are_counted() -> None:
    confusion = np.kron(np.eye(4, dtype=int), np.full((2, 2), 10)).tolist()
    (warning,) = score_warnings(scores_of(confusion), is_mirrored=True)
    assert warning.count("got the other's label") == 3
    assert "; and 1 more. See" in warning


@pytest.mark.parametrize("confusion", [[[11, 9], [10, 10]], [[7, 7, 6], [6, 7, 7], [7, 6, 7]]])
def test_no_pair_is_named_where_all_classes_are_guessed(confusion: list[list[int]]) -> None:
    assert mixed_up(scores_of(confusion))
    (warning,) = score_warnings(scores_of(confusion), is_mirrored=True)
    assert "can't tell it from guesses" in warning
    assert warning.endswith(MIRRORS)
    (warning,) = score_warnings(scores_of(confusion), is_mirrored=False)
    assert "mirror" not in warning


def test_a_class_of_which_nothing_was_recognised_is_named_once() -> None:
    scores = scores_of([[0, 20, 0], [18, 16, 0], [0, 0, 80]])
    assert mixed_up(scores)
    (warning,) = score_warnings(scores, is_mirrored=True)
    assert warning.startswith("No picture of these classes was recognised: a (20 pictures).")


def test_mirrors_are_no_advice_where_a_finding_has_given_it() -> None:
    """mirrored_sides says of left and right that they are shown mirrored, and what to do."""
    (warning,) = score_warnings(scores_of(MIXED, ["left", "right", "c", "d"]), is_mirrored=True)
    assert "'left' and 'right'" in warning
    assert "mirror" not in warning
    (warning,) = score_warnings(scores_of([[11, 9], [10, 10]], ["left", "right"]), is_mirrored=True)
    assert "mirror" not in warning
