"""Whether a model is worse beyond chance: the figures, computed in another way."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from trainer_worker.scores.paired_test import LEAST_PICTURES, SIGNIFICANCE, paired_test


def answers(both: int, only_now: int, only_before: int, neither: int = 0) -> tuple[list[float], list[float]]:
    """The scores of both models for so many pictures that both, only one or neither of them has right."""
    now = [1.0] * (both + only_now) + [0.0] * (only_before + neither)
    before = [1.0] * both + [0.0] * only_now + [1.0] * only_before + [0.0] * neither
    return now, before


def mcnemar(only_now: int, only_before: int) -> float:
    """The share of all ways to toss so many coins that give at most only_now heads."""
    tosses = only_now + only_before
    return math.fsum(math.comb(tosses, heads) / 2.0**tosses for heads in range(only_now + 1))


@pytest.mark.parametrize(("only_now", "only_before"), [(0, 1), (0, 5), (2, 8), (8, 2), (3, 3), (40, 61), (0, 300)])
def test_right_and_wrong_give_mcnemar_s_exact_test(only_now: int, only_before: int) -> None:
    test = paired_test(*answers(20, only_now, only_before, 4))
    assert (test.pictures, test.better, test.worse) == (24 + only_now + only_before, only_now, only_before)
    assert test.p_value == pytest.approx(mcnemar(only_now, only_before), rel=1e-9)


def test_dice_gives_the_share_of_all_signs_with_a_mean_as_low() -> None:
    now, before = [0.5, 0.7, 0.75, 0.8, 0.61, 0.9, 0.42, 0.7], [0.8, 0.75, 0.7, 0.85, 0.8, 0.88, 0.6, 0.7]
    differences = [b - a for a, b in zip(before, now, strict=True)]
    means = [
        float(np.mean([sign * d for sign, d in zip(signs, differences, strict=True)]))
        for signs in itertools.product((-1, 1), repeat=len(differences))
    ]
    expected = sum(mean <= np.mean(differences) + 1e-12 for mean in means) / len(means)
    test = paired_test(now, before)
    assert test.p_value == pytest.approx(expected, abs=1e-9)
    assert (test.pictures, test.better, test.worse) == (8, 2, 5)


def test_many_masks_give_nearly_what_the_t_test_gives_and_always_the_same() -> None:
    from scipy import stats

    chance = np.random.default_rng(3)
    before = chance.uniform(0.4, 0.9, 300)
    now = np.clip(before + chance.normal(-0.004, 0.05, 300), 0, 1)
    test = paired_test(now.tolist(), before.tolist())
    assert test.p_value == pytest.approx(stats.ttest_rel(now, before, alternative="less").pvalue, abs=0.02)
    assert test == paired_test(now.tolist(), before.tolist())


def test_only_what_chance_hardly_explains_is_worse() -> None:
    assert paired_test(*answers(40, 1, 8)).is_worse  # p = 10 / 512
    assert not paired_test(*answers(40, 2, 8)).is_worse  # p = 56 / 1024
    assert not paired_test(*answers(40, 8, 1)).is_worse
    assert paired_test([0.3] * 30, [0.8] * 30).is_worse


def test_the_same_scores_are_never_worse() -> None:
    assert paired_test([0.2, 1.0, 0.4] * 4, [0.2, 1.0, 0.4] * 4).p_value == 1.0


@pytest.mark.parametrize("pictures", range(LEAST_PICTURES))
def test_few_pictures_can_tell_nothing(pictures: int) -> None:
    test = paired_test([0.0] * pictures, [1.0] * pictures)
    assert not test.can_tell
    assert not test.is_worse
    assert 0.5**pictures > SIGNIFICANCE


def test_the_least_number_of_pictures_can_tell() -> None:
    assert paired_test([0.0] * LEAST_PICTURES, [1.0] * LEAST_PICTURES).is_worse


def test_an_equally_good_model_is_kept_back_in_one_of_twenty_trainings_at_most() -> None:
    chance, kept_back = np.random.default_rng(0), 0
    for _ in range(1000):
        now, before = chance.random((2, 80)) < 0.9
        kept_back += paired_test(now.astype(float), before.astype(float)).is_worse
    assert kept_back <= 65  # 50 are expected at most, with a spread of 7
