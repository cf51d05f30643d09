"""The classifier behind the questions about pictures: its predictions are those of models that were fitted without."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist

from tests.drawn_features import drawn_sample
from trainer_worker.scores.quick_classifier import LEAST_RIDGE, RIDGE, Sample, out_of_fold, reduced


def fitted_without(sample: Sample, fold: int) -> np.ndarray:
    """The scores of a fold's pictures by a kernel ridge regression of all others, solved in the plain way."""
    features = sample.features.astype(float)
    usual = np.median(pdist(features, "sqeuclidean"))
    counts = np.bincount(sample.classes)
    ridge = np.maximum(RIDGE * counts[sample.classes] * len(counts) / len(features), LEAST_RIDGE)
    train, scored = sample.folds != fold, sample.folds == fold
    kernel = np.exp(-cdist(features[train], features[train], "sqeuclidean") / usual) + np.diag(ridge[train])
    wanted = 2.0 * np.eye(sample.labels)[sample.classes[train]] - 1
    found: np.ndarray = np.exp(-cdist(features[scored], features[train], "sqeuclidean") / usual) @ np.linalg.solve(
        kernel, wanted
    )
    return found


def test_each_fold_is_scored_as_by_a_model_that_was_fitted_without_it() -> None:
    sample = drawn_sample([60, 30, 12], apart=0.6)
    scores = out_of_fold(sample)
    for fold in range(5):
        assert scores[sample.folds == fold] == pytest.approx(fitted_without(sample, fold), abs=2e-3)


def test_a_picture_does_not_learn_from_its_own_label() -> None:
    """Labels drawn at random can't be predicted. A model that had seen them would know them all."""
    sample = drawn_sample([100, 100], apart=0.0)
    right = out_of_fold(sample).argmax(axis=1) == sample.classes
    assert 0.35 < right.mean() < 0.65


def test_a_small_class_is_found_among_large_ones() -> None:
    sample = drawn_sample([200, 200, 12], apart=1.0)
    right = out_of_fold(sample).argmax(axis=1) == sample.classes
    assert right[sample.classes == 2].mean() >= 0.8


def test_pictures_without_a_fold_train_and_are_not_scored() -> None:
    sample = drawn_sample([40, 40], apart=1.0)
    folds = np.where(np.arange(80) < 5, -1, sample.folds)
    assert not out_of_fold(dataclasses.replace(sample, folds=folds))[:5].any()


def test_pictures_that_are_all_the_same_are_no_error() -> None:
    sample = drawn_sample([20, 20], apart=1.0)
    same = dataclasses.replace(sample, features=np.ones_like(sample.features))
    assert np.isfinite(out_of_fold(same)).all()


def test_many_copies_of_one_picture_do_not_make_all_others_strangers() -> None:
    """The usual distance is one between different pictures."""
    sample = drawn_sample([260, 20, 20], apart=1.0)
    features = np.where((sample.classes == 0)[:, None], sample.features[0], sample.features)
    scores = out_of_fold(dataclasses.replace(sample, features=features))
    assert (scores.argmax(axis=1) == sample.classes)[sample.classes > 0].mean() >= 0.8


def test_reduced_features_keep_the_distances_of_standardised_ones() -> None:
    pooled = np.random.default_rng(0).normal(3, [5.0] * 10 + [0.1] * 10, (50, 20)).astype(np.float32)
    standardised = (pooled - pooled.mean(axis=0)) / (pooled.std(axis=0) + 1e-3)
    assert pdist(reduced(pooled)) == pytest.approx(pdist(standardised), rel=1e-3)
