"""Labels that look wrong: those that were planted are found, and nobody is accused where nothing is wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.drawn_features import drawn_sample
from trainer_worker.scores.label_errors import LEAST_OF_LABEL, Noise, Suspects, label_errors
from trainer_worker.scores.quick_classifier import Sample, out_of_fold

COUNTS = [120, 100, 80, 60]
PLANTED = 18


def planted(apart: float, seed: int) -> tuple[Sample, np.ndarray]:
    """A sample in which every twentieth picture has a wrong label, and their rows."""
    sample = drawn_sample(COUNTS, apart, seed)
    random = np.random.default_rng(seed)
    rows = random.permutation(len(sample.classes))[:PLANTED]
    classes = sample.classes.copy()
    classes[rows] = (classes[rows] + random.integers(1, len(COUNTS), PLANTED)) % len(COUNTS)
    return dataclasses.replace(sample, classes=classes), rows


def ranked_in(sample: Sample) -> Suspects:
    return label_errors(sample, out_of_fold(sample))


def suspects_in(sample: Sample) -> Suspects:
    """Only those that are named."""
    ranked = ranked_in(sample)
    of_pictures = {name: values[: ranked.named] for name, values in vars(ranked).items() if name != "named"}
    return dataclasses.replace(ranked, **of_pictures)


@pytest.mark.parametrize("seed", range(3))
def test_planted_labels_are_found_with_the_class_that_they_show(seed: int) -> None:
    sample, rows = planted(1.0, seed)
    right = drawn_sample(COUNTS, 1.0, seed).classes
    suspects = suspects_in(sample)
    found = suspects.rows[np.isin(suspects.rows, rows)]
    assert len(found) >= 0.8 * PLANTED
    assert len(suspects.rows) - len(found) <= 1
    assert (suspects.likely == right[suspects.rows]).mean() >= 0.85
    assert (np.diff(suspects.wrong) <= 0).all()
    assert (suspects.of_likely > suspects.of_label).all()


@pytest.mark.parametrize("seed", [2, 3, 4, 5])
def test_where_classes_overlap_most_of_what_is_named_was_planted(seed: int) -> None:
    sample, rows = planted(0.6, seed)
    suspects = suspects_in(sample)
    assert np.isin(suspects.rows[:PLANTED], rows).sum() >= 0.6 * PLANTED


@pytest.mark.parametrize("apart", [1.0, 0.45, 0.3, 0.2])
def test_nobody_is_accused_where_no_label_is_wrong(apart: float) -> None:
    """At 0.3 every third picture is not recognised. That classes are alike is no reason to doubt their labels."""
    assert not len(suspects_in(drawn_sample(COUNTS, apart)).rows)


@pytest.mark.parametrize("seed", range(3))
def test_labels_drawn_at_random_accuse_nobody(seed: int) -> None:
    """The control: nothing can be learned from them, so nothing can be said."""
    sample = drawn_sample(COUNTS, 1.0, seed)
    shuffled = np.random.default_rng(seed).permutation(sample.classes)
    assert not len(suspects_in(dataclasses.replace(sample, classes=shuffled)).rows)


def test_the_share_of_wrong_labels_is_estimated() -> None:
    sample, _ = planted(1.0, 0)
    share = PLANTED / len(sample.classes)
    assert Noise.fitted(out_of_fold(sample), sample.classes).share == pytest.approx(share, abs=0.01)


def test_a_label_of_few_pictures_is_not_judged() -> None:
    sample = drawn_sample([100, LEAST_OF_LABEL - 1], apart=1.0)
    misplaced = np.where((sample.classes == 1)[:, None], sample.features[:1], sample.features)
    assert not len(suspects_in(dataclasses.replace(sample, features=misplaced)).rows)


def test_pictures_without_a_fold_are_not_judged() -> None:
    sample, rows = planted(1.0, 0)
    folds = sample.folds.copy()
    folds[rows[0]] = -1
    assert rows[0] not in suspects_in(dataclasses.replace(sample, folds=folds)).rows


def test_a_single_class_accuses_nobody() -> None:
    assert not len(suspects_in(drawn_sample([30], 1.0)).rows)


def test_too_few_wrong_labels_to_be_sure_of_are_ranked_first() -> None:
    """Three among 90 pictures are no evidence, but a person who looks at the first four finds most of them."""
    found = 0
    for seed in range(6):
        sample = drawn_sample([30, 30, 30], 0.6, seed)
        rows = np.random.default_rng(seed).permutation(90)[:3]
        classes = sample.classes.copy()
        classes[rows] = (classes[rows] + 1) % 3
        ranked = ranked_in(dataclasses.replace(sample, classes=classes))
        assert len(ranked.rows) <= max(ranked.named, 4)
        assert (np.diff(ranked.of_label) >= 0).all()
        found += int(np.isin(ranked.rows, rows).sum())
    assert found >= 0.6 * 18
