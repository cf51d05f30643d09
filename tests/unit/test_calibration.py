"""Temperatures and reliability on made-up answers whose true probabilities are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainer_worker.scores.calibration import (
    LEAST_TEMPERATURE,
    calibrate,
    fit_temperature,
    measure_reliability,
    tempered,
)

LABELS = 4


def softmax(logits: Any) -> Any:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def answers(count: int, temperature: float, seed: int = 0) -> tuple[Any, Any]:
    """Probabilities (n, LABELS) of a model that becomes calibrated at this temperature, and the truth, drawn by it."""
    random = np.random.default_rng(seed)
    calibrated = softmax(random.normal(0, 2, (count, LABELS)))
    truth = (calibrated.cumsum(axis=1) > random.random((count, 1))).argmax(axis=1)
    return softmax(np.log(calibrated) * temperature).astype(np.float32), truth


def alone(count: int) -> Any:
    """Each answer is a group of its own."""
    return np.arange(count)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_true_temperature_is_found(temperature: float) -> None:
    probabilities, truth = answers(20_000, temperature)

    assert fit_temperature(probabilities, truth) == pytest.approx(temperature, rel=0.04)


@pytest.mark.parametrize("temperature", [0.5, 2.5])
def test_an_uncalibrated_model_is_seen_and_mended(temperature: float) -> None:
    probabilities, truth = answers(2_000, temperature)

    found = calibrate(probabilities, truth, alone(2_000), seed=1)

    assert found.before.error > 0.08
    assert found.after.error < 0.03
    sure = sum(entry.confidence * entry.pictures for entry in found.before.bins) / 2_000
    right = float((probabilities.argmax(axis=1) == truth).mean())
    assert (sure > right) == (temperature > 1)  # what is mended by a temperature above 1 was too sure of itself


def test_a_calibrated_model_stays_as_it_is() -> None:
    probabilities, truth = answers(2_000, 1.0)

    found = calibrate(probabilities, truth, alone(2_000), seed=1)

    assert found.temperature == pytest.approx(1.0, abs=0.1)
    assert found.before.error < 0.03
    assert found.after.error < 0.03


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_temperature_changes_no_decision(dtype: Any) -> None:
    probabilities = answers(2_000, 1.0)[0].astype(dtype)

    for temperature in (LEAST_TEMPERATURE, 0.7, 3.0):
        changed = tempered(probabilities, temperature)
        assert changed.dtype == dtype
        assert changed.shape == probabilities.shape
        assert np.array_equal(changed.argmax(axis=1), probabilities.argmax(axis=1))
        assert np.allclose(changed.sum(axis=1), 1)
    assert np.allclose(tempered(probabilities, 1.0), probabilities, atol=1e-6)


def test_a_few_pictures_that_are_all_right_ask_for_no_certainty() -> None:
    """Without the prior, any number of right answers would ask for the lowest temperature there is."""
    wins = np.full((200, 2), [0.6, 0.4], np.float32)
    truth = np.zeros(200, np.int64)

    few, some, many = (fit_temperature(wins[:count], truth[:count]) for count in (2, 10, 200))

    assert 0.75 < few < 1
    assert LEAST_TEMPERATURE < many < some < few
    assert fit_temperature(wins[:0], truth[:0]) == 1.0


def test_pictures_that_are_all_wrong_stay_within_bounds() -> None:
    sure = np.full((200, 2), [0.999, 0.001], np.float32)

    assert 1 < fit_temperature(sure, np.ones(200, np.int64)) <= 4.0
    assert np.isfinite(fit_temperature(np.tile(np.array([1, 0], "f4"), (200, 1)), np.ones(200, np.int64)))


def test_one_number_for_foreground_is_the_same_as_two_columns() -> None:
    two, truth = answers(3_000, 2.0)
    two = two[:, :2] / two[:, :2].sum(axis=1, keepdims=True)
    truth = (truth % 2).astype(np.int64)
    one = two[:, 1:]

    assert fit_temperature(one, truth) == pytest.approx(fit_temperature(two, truth), rel=1e-3)
    assert np.allclose(tempered(one, 2.0), tempered(two, 2.0)[:, 1:], atol=1e-3)
    logits = np.log(one) - np.log(np.maximum(1 - one, 1e-7))
    assert np.allclose(tempered(one, 2.0), 1 / (1 + np.exp(-logits / 2)), atol=1e-3)
    assert np.array_equal(tempered(one, 0.5) > 0.5, one > 0.5)
    certain = np.array([[1.0], [0.0]], "f4")
    assert np.isfinite(tempered(certain, 2.0)).all()


def test_the_error_is_computed_from_bins_of_equally_many_pictures() -> None:
    """Computed here in another way: sorted by confidence, in runs of 20 pictures."""
    probabilities, truth = answers(60, 2.0)

    found = measure_reliability(probabilities, truth)

    order = np.argsort(probabilities.max(axis=1), kind="stable")
    right = (probabilities.argmax(axis=1) == truth)[order].reshape(3, 20).mean(axis=1)
    sure = np.sort(probabilities.max(axis=1)).reshape(3, 20).astype(float).mean(axis=1)
    assert [entry.pictures for entry in found.bins] == [20, 20, 20]
    assert [entry.accuracy for entry in found.bins] == pytest.approx(right)
    assert [entry.confidence for entry in found.bins] == pytest.approx(sure)
    assert found.error == pytest.approx(np.abs(right - sure).mean())
    assert all(a.high <= b.low for a, b in zip(found.bins, found.bins[1:], strict=False))
    assert [entry.pictures for entry in measure_reliability(probabilities[:7], truth[:7]).bins] == [7]


def test_no_answer_is_scored_with_a_temperature_that_it_chose() -> None:
    """One group is right and one is wrong, so each half would ask for a temperature that harms the other.

    Fitted to all answers, a temperature above 1 would make the truth likelier.
    """
    probabilities = np.tile(np.array([0.7, 0.3], "f4"), (400, 1))
    truth = np.zeros(400, np.int64)
    groups = np.repeat([0, 1], 200)
    truth[groups == 1] = 1

    found = calibrate(probabilities, truth, groups, seed=3)

    assert fit_temperature(probabilities, truth) > 1.5
    assert found.temperature == 1.0
    assert found.after == found.before


def test_copies_are_in_one_half() -> None:
    """With one group there is no second half, and nothing says that a temperature would help."""
    probabilities, truth = answers(300, 2.0)

    found = calibrate(probabilities, truth, np.zeros(300, np.int64), seed=1)

    assert found.after == found.before
    assert found.temperature == 1.0


def test_the_same_seed_gives_the_same_figures() -> None:
    probabilities, truth = answers(300, 2.0)

    assert calibrate(probabilities, truth, alone(300), 1) == calibrate(probabilities, truth, alone(300), 1)
