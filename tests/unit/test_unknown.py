"""The threshold of "unknown", and the share of strangers that it spots, on made-up answers and features."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from trainer_worker.scores.unknown import Known, choose_threshold, estimate_spotted, share_kept


def test_95_of_100_right_answers_stay_answers() -> None:
    random = np.random.default_rng(0)
    confidence = random.uniform(0.2, 1, 500)
    right = random.random(500) < confidence

    threshold = choose_threshold(confidence, right)

    kept = share_kept(confidence, right, threshold)
    assert kept is not None
    assert 0.95 <= kept < 0.96
    # The next higher answer as threshold would keep too few.
    higher = np.sort(confidence[right & (confidence > threshold)])[1]
    assert (confidence[right] >= higher).mean() < 0.95


@pytest.mark.parametrize("count", [1, 5, 19])
def test_few_right_answers_all_stay(count: int) -> None:
    confidence = np.linspace(0.5, 0.9, count).astype(np.float32)
    right = np.ones(count, bool)

    threshold = choose_threshold(confidence, right)

    assert share_kept(confidence, right, threshold) == 1.0
    assert threshold == pytest.approx(0.5, abs=2e-4)
    assert choose_threshold(np.linspace(0.5, 0.9, 20), np.ones(20, bool)) > 0.5  # one of twenty may be unknown


def test_wrong_answers_have_no_part_in_it() -> None:
    confidence, right = np.array([0.1, 0.6, 0.7]), np.array([False, True, True])

    assert choose_threshold(confidence, right) == 0.6
    assert choose_threshold(confidence, np.zeros(3, bool)) == 0.0
    assert share_kept(confidence, np.zeros(3, bool), 0.0) is None


def known(centres: Any, of_each: int = 40, spread: float = 1.0) -> Known:
    """Pictures whose features lie around the centre of their class; a fifth of them is held out."""
    random = np.random.default_rng(0)
    classes = np.repeat(np.arange(len(centres)), of_each)
    features = (np.asarray(centres)[classes] + random.normal(0, spread, (len(classes), len(centres[0])))).astype("f4")
    held_out = np.arange(len(classes)) % 5 == 0
    return Known(features, classes, np.flatnonzero(~held_out), np.flatnonzero(held_out))


def test_strangers_between_the_classes_are_spotted_and_look_alikes_are_not() -> None:
    apart = 12 * np.eye(4, 20)  # a class that is left out is as far from each other class as they are
    twins = np.repeat(12 * np.eye(2, 20), 2, axis=0)  # two pairs of classes that look the same

    strangers, look_alikes = estimate_spotted(known(apart), 1), estimate_spotted(known(twins), 1)

    assert strangers is not None
    assert strangers > 0.6
    assert look_alikes is not None
    assert look_alikes < 0.2


def test_two_classes_can_not_tell() -> None:
    assert estimate_spotted(known(5 * np.eye(2, 20)), 1) is None
    assert estimate_spotted(known(5 * np.eye(3, 20)), 1) is not None
    one_side = known(5 * np.eye(3, 20))
    assert estimate_spotted(Known(one_side.features, one_side.classes, one_side.train, one_side.train[:0]), 1) is None


def test_the_seed_decides_and_odd_features_do_no_harm() -> None:
    given = known(3 * np.eye(15, 30))
    assert estimate_spotted(given, 1) == estimate_spotted(given, 1)
    same = Known(np.ones_like(given.features), given.classes, given.train, given.held_out)
    assert estimate_spotted(same, 1) in (0.0, None)
    few = known(3 * np.eye(3, 30), of_each=2)
    estimate_spotted(Known(few.features, few.classes, few.train, few.held_out), 1)


def test_many_classes_and_pictures_take_no_longer() -> None:
    random = np.random.default_rng(0)
    classes = np.repeat(np.arange(2000), 10)
    features = random.normal(0, 1, (20_000, 1280)).astype(np.float32)
    held_out = np.arange(20_000) % 5 == 0
    given = Known(features, classes, np.flatnonzero(~held_out), np.flatnonzero(held_out))

    began_s = time.thread_time()
    assert estimate_spotted(given, 1) is not None
    assert time.thread_time() - began_s < 3
