"""The learning curve, and which class it says would gain most from more pictures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.drawn_features import drawn_sample
from trainer_worker.scores.learning_curve import LEAST_POWER, MORE_OF_CLASS, LearningCurve, learning_curve
from trainer_worker.scores.quick_classifier import Sample, out_of_fold


def curve_of(sample: Sample) -> LearningCurve:
    curve = learning_curve(sample, out_of_fold(sample), lambda: None)
    assert curve is not None
    return curve


def test_the_points_rise_where_pictures_help() -> None:
    points = curve_of(drawn_sample([100, 100, 100], apart=0.5)).points
    assert [point.share for point in points] == [0.25, 0.5, 0.75, 1.0]
    assert [point.pictures for point in points] == [75, 150, 225, 300]
    assert points[-1].accuracy > points[0].accuracy
    assert all(point.low < point.accuracy < point.high for point in points)


def test_the_last_point_is_the_share_of_pictures_that_are_recognised_out_of_fold() -> None:
    sample = drawn_sample([80, 80], apart=0.4)
    right = out_of_fold(sample).argmax(axis=1) == sample.classes
    assert curve_of(sample).points[-1].accuracy == pytest.approx(right.mean())


def test_labels_that_cant_be_learned_promise_nothing() -> None:
    """The control: more pictures of what is drawn at random don't help."""
    curve = curve_of(drawn_sample([150, 150], apart=0.0))
    assert curve.power < 0.1
    assert curve.gain_of_twice_as_many() < 0.03


def test_twice_as_many_pictures_bring_what_was_promised() -> None:
    few, many = drawn_sample([60, 60, 60], 0.5, seed=3), drawn_sample([120, 120, 120], 0.5, seed=3)
    reached = curve_of(many).points[-1].accuracy - curve_of(few).points[-1].accuracy
    assert curve_of(few).gain_of_twice_as_many() == pytest.approx(reached, abs=0.05)


def test_the_class_with_many_errors_and_few_pictures_gains_most() -> None:
    counts = [80, 80, 15, 80]
    gains = curve_of(drawn_sample(counts, apart=0.5)).recall_gains(np.array(counts))
    assert gains.argmax() == 2
    assert gains[2] > 2 * np.delete(gains, 2).max()


def test_gains_follow_the_power_law() -> None:
    curve = LearningCurve((), 0.5, np.array([0.2, 0.2]))
    assert curve.recall_gains(np.array([20, 60])) == pytest.approx([0.2 * (1 - 0.5**0.5), 0.2 * (1 - 0.75**0.5)])
    assert MORE_OF_CLASS == 20


def test_a_perfect_model_still_has_a_power() -> None:
    curve = curve_of(drawn_sample([60, 60], apart=3.0))
    assert curve.points[-1].accuracy == 1.0
    assert curve.power == LEAST_POWER
    assert curve.gain_of_twice_as_many() == 0.0


def test_few_pictures_have_no_curve() -> None:
    sample = drawn_sample([10, 9], apart=1.0)
    assert learning_curve(sample, out_of_fold(sample), lambda: None) is None


def test_shares_are_drawn_as_whole_groups() -> None:
    """Every picture ten times: a quarter of them is a quarter of the objects, and not all of them."""
    sample = drawn_sample([20, 20], apart=0.25)
    rows = np.repeat(np.arange(40), 10)
    tenfold = sample.only(rows)
    points = curve_of(tenfold).points
    assert points[0].accuracy < points[-1].accuracy
    assert points[0].pictures == 100


def test_a_cancel_is_heard_between_the_fits() -> None:
    class CancelledError(Exception):
        pass

    def cancel() -> None:
        raise CancelledError

    sample = drawn_sample([30, 30], apart=1.0)
    with pytest.raises(CancelledError):
        learning_curve(sample, out_of_fold(sample), cancel)


def test_the_same_pictures_give_the_same_curve() -> None:
    sample = drawn_sample([40, 40], apart=0.4)
    first, second = curve_of(sample), curve_of(dataclasses.replace(sample))
    assert first.points == second.points
    assert first.power == second.power
