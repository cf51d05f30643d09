"""How many pictures score a segmenter: enough to mean something, never more than half, and of which classes."""

from __future__ import annotations

import numpy as np
import pytest

from protocol.options import SegmentationOptions
from trainer_worker.segmentation.dataset import class_findings, own_split
from trainer_worker.segmentation.plan import LEAST_HELD_OUT

OPTIONS = SegmentationOptions()


def present(*counts: int) -> np.ndarray:
    """So many pictures of each class, one class in each: bool (pictures, classes), background in all."""
    shown = np.zeros((sum(counts), len(counts) + 1), bool)
    shown[:, 0] = True
    shown[np.arange(sum(counts)), np.repeat(np.arange(1, len(counts) + 1), counts)] = True
    return shown


@pytest.mark.parametrize(("pictures", "held_out"), [(4, 2), (8, 4), (10, 5), (20, 5), (25, 5), (30, 6), (200, 40)])
def test_five_or_a_fifth_score_and_never_more_than_half(pictures: int, held_out: int) -> None:
    split = own_split(present(pictures), np.arange(pictures), OPTIONS)
    assert len(split.held_out) == held_out
    assert held_out <= pictures / 2


def test_each_class_with_enough_pictures_has_five_that_score() -> None:
    shown = present(100, 12, 6, 2)
    split = own_split(shown, np.arange(len(shown)), OPTIONS)
    assert shown[split.held_out].sum(axis=0).tolist()[1:] == [20, LEAST_HELD_OUT, 3, 1]


def test_pictures_of_which_no_two_are_alike_are_split_too() -> None:
    """Each has a rarest class of its own, of which one side could have none."""
    shown = present(*[1] * 8)
    split = own_split(shown, np.arange(8), OPTIONS)
    assert len(split.held_out) == 4


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((8, 0, 8), "No mask holds class 2, 'b': the model can't know it."),
        ((8, 0, 8, 0), "No mask holds 2 of the listed classes: 2 (b), 4 (d). The model can't know them."),
    ],
)
def test_classes_that_no_mask_holds_are_one_finding(counts: tuple[int, ...], said: str) -> None:
    shown = present(*counts)
    split = own_split(shown, np.arange(len(shown)), OPTIONS)
    (found,) = class_findings(["background", *"abcd"[: len(counts)]], shown, split)
    assert (found.code, found.sentence) == ("classes_not_scored", said)
