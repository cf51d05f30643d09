"""Scores of classes against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trainer_worker.class_scores import accuracy, balanced_accuracy, score_classes


def test_a_class_that_is_never_named_costs_more_than_its_share() -> None:
    truth = np.array([0] * 9 + [1])
    always_first = np.tile([0.9, 0.1, 0.0], (10, 1))  # class 2 has no image: it counts nothing
    assert accuracy(truth, always_first) == pytest.approx(0.9)
    assert balanced_accuracy(truth, always_first) == pytest.approx(0.5)
    scores = score_classes(truth, always_first, ["much", "little", "none"])
    assert scores.balanced_accuracy == pytest.approx(0.5)
    assert scores.baseline_accuracy == pytest.approx(0.9)
    assert [entry["recall"] for entry in scores.per_class] == [1.0, 0.0, 0.0]
