"""Dice, IoU and the pixel confusion matrix against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trainer_worker.segmentation.scores import score_masks


def test_known_figures_of_two_pictures() -> None:
    truth = np.array([[[1, 1], [0, 0]], [[1, 0], [0, 0]]], np.uint8)
    predicted = np.array([[[1, 0], [1, 0]], [[1, 0], [0, 0]]], np.uint8)
    scores = score_masks(truth, predicted)
    assert scores.dice_per_image == pytest.approx([0.5, 1.0])
    assert scores.dice == pytest.approx(0.75)
    assert scores.iou == pytest.approx((1 / 3 + 1) / 2)
    assert scores.confusion == [[4, 1], [1, 2]]
    assert scores.dice_all_pixels == pytest.approx(2 * 2 / (3 + 3))
    assert scores.iou_all_pixels == pytest.approx(2 / 4)
    assert scores.pixel_accuracy == pytest.approx(6 / 8)
    assert scores.per_class["background"]["iou"] == pytest.approx(4 / 6)
    assert scores.per_class["foreground"]["pixels"] == 3


def test_a_picture_without_foreground_scores_by_what_is_predicted_there() -> None:
    truth = np.zeros((2, 4, 4), np.uint8)
    predicted = truth.copy()
    predicted[1, 0, 0] = 1
    assert score_masks(truth, predicted).dice_per_image == [1.0, 0.0]


def test_masks_that_are_no_better_than_the_same_everywhere_are_said_to_be() -> None:
    truth = np.array([[[1, 1, 0, 0]]], np.uint8)
    everywhere = score_masks(truth, np.ones_like(truth))
    assert score_masks(truth, truth).warnings(everywhere) == []
    assert everywhere.warnings(everywhere)[0].startswith(
        "The masks are no better than marking all of a picture: Dice 66.7 %"
    )
    full = score_masks(np.ones_like(truth), np.ones_like(truth))
    assert full.warnings(full) == []  # as good as can be


def test_foreground_is_anything_but_zero() -> None:
    truth = np.array([[[255, 0]]], np.uint8)
    assert score_masks(truth, truth > 0).dice == 1.0


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes"):
        score_masks(np.zeros((2, 4, 4)), np.zeros((2, 4, 5)))
    with pytest.raises(ValueError, match="shapes"):
        score_masks(np.zeros((0, 4, 4)), np.zeros((0, 4, 4)))
