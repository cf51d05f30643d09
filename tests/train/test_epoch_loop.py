"""The training loop of all trainers: how it ends, what it remembers, and what a later attempt makes of that."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from protocol.end_reason import EndReason
from protocol.options import ClassificationOptions
from tests.project_folders import attempt_in
from trainer_worker.attempt.job import Epoch, SilentReporter
from trainer_worker.optimization import epochs
from trainer_worker.optimization.adam import Adam
from trainer_worker.optimization.epochs import Course, EpochLoop, History, Learner
from trainer_worker.optimization.learning_rate import RateSchedule

EPOCHS, STEPS = 4, 3
ROWS = range(6)
pytestmark = pytest.mark.usefixtures("saved_each_epoch")


class CutError(Exception):
    """Stands for the end of the process."""


class Watcher(SilentReporter):
    """Notes steps and epochs. After so many steps it requests a stop, or cuts the process off; 0 for never."""

    def __init__(self, stop_after: int = 0, cut_after: int = 0) -> None:
        self.steps, self.epochs = 0, list[int]()
        self._stop_after, self._cut_after = stop_after, cut_after

    def step(self, fraction: float, **metrics: float) -> None:
        self.steps += 1
        if self.steps == self._cut_after:
            raise CutError

    def epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch.number)

    @property
    def stop_requested(self) -> bool:
        return bool(self._stop_after) and self.steps >= self._stop_after


class Line:
    """Learns the factor of a line. bad_steps: numbers of steps, from 1, whose loss is NaN."""

    def __init__(self, bad_steps: tuple[int, ...] = ()) -> None:
        inputs = keras.Input((1,))
        self.network = keras.Model(inputs, keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")(inputs))
        self._optimizer = Adam([weight.value for weight in self.network.trainable_variables])
        self._bad_steps, self._taken = bad_steps, 0

    def learner(self) -> Learner:
        return Learner(
            network=self.network,
            optimizer=self._optimizer,
            batches=self._batches,
            step=self._step,
            score_name="near",
            score_of=lambda counts: float(counts[0] / counts[1]),
        )

    def _batches(self, random: np.random.Generator) -> Iterator[tuple[Any]]:
        for batch in np.array_split(random.permutation(ROWS), STEPS):
            yield (tf.constant(batch[:, None], tf.float32),)

    def _step(self, x: Any) -> tuple[Any, Any]:
        self._taken += 1
        with tf.GradientTape() as tape:
            errors = self.network(x) - 3 * x
            loss = tf.reduce_mean(errors**2)
        self._optimizer.apply(tape.gradient(loss, self.network.trainable_variables))
        near = tf.reduce_sum(tf.cast(tf.abs(errors) < 1, tf.int32))
        return loss * (math.nan if self._taken in self._bad_steps else 1.0), tf.stack([near, tf.size(errors)])


def run(line: Line, folder: Path, watcher: Watcher, end_by_s: float = math.inf, least_steps: int = 0) -> History:
    rate = RateSchedule(0.1, EPOCHS * STEPS, warm_up_steps=2)
    course = Course("line", ROWS, EPOCHS, STEPS, rate, end_by_s, least_steps)
    return EpochLoop(line.learner(), course, attempt_in(folder, ClassificationOptions(), watcher)).run()


def test_every_epoch_has_its_loss_and_its_score(tmp_path: Path) -> None:
    watcher = Watcher()
    history = run(Line(), tmp_path, watcher)
    assert (history.end_reason, history.steps) == (EndReason.CONVERGED, EPOCHS * STEPS)
    assert watcher.epochs == [1, 2, 3, 4]
    assert [sorted(epoch) for epoch in history.epochs] == [["loss", "near"]] * EPOCHS
    assert history.epochs[-1]["loss"] < history.epochs[0]["loss"]


def test_a_stop_in_an_epoch_counts_the_part_that_was_trained(tmp_path: Path) -> None:
    watcher = Watcher(stop_after=STEPS + 1)
    history = run(Line(), tmp_path, watcher)
    assert (history.end_reason, history.steps, watcher.epochs) == (EndReason.STOPPED, STEPS + 1, [1, 2])


@pytest.mark.parametrize("least_steps", [0, 2])
def test_time_that_is_over_ends_the_training_after_the_least_steps(tmp_path: Path, least_steps: int) -> None:
    history = run(Line(), tmp_path, Watcher(), time.monotonic(), least_steps)
    assert (history.end_reason, history.steps, len(history.epochs)) == (EndReason.BUDGET, least_steps, least_steps // 2)


def test_a_later_attempt_repeats_the_epoch_that_was_cut_and_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = Line()
    history = run(whole, tmp_path / "whole", Watcher())
    with pytest.raises(CutError):
        run(Line(), tmp_path / "cut", Watcher(cut_after=2 * STEPS + 2))
    resumed, watcher = Line(), Watcher()
    assert run(resumed, tmp_path / "cut", watcher) == history
    assert watcher.epochs == [3, 4]
    np.testing.assert_array_equal(resumed.network.get_weights(), whole.network.get_weights())


def test_a_broken_epoch_leaves_the_weights_of_the_one_before(tmp_path: Path) -> None:
    line, good = Line(bad_steps=(2 * STEPS + 1,)), Line()
    history = run(line, tmp_path / "bad", Watcher())
    assert (history.end_reason, len(history.epochs)) == (EndReason.DIVERGED, 2)
    with pytest.raises(CutError):  # the control: two epochs and no step more
        run(good, tmp_path / "good", Watcher(cut_after=2 * STEPS + 1))
    whole = Line()
    run(whole, tmp_path / "whole", Watcher(stop_after=2 * STEPS))
    np.testing.assert_array_equal(line.network.get_weights(), whole.network.get_weights())
    assert not np.array_equal(good.network.get_weights(), whole.network.get_weights())


def test_a_resumed_training_that_breaks_begins_anew(tmp_path: Path) -> None:
    """The checkpoint may be damaged in a way that no check finds."""
    with pytest.raises(CutError):
        run(Line(), tmp_path, Watcher(cut_after=STEPS + 1))
    whole, line, watcher = Line(), Line(bad_steps=(1,)), Watcher()
    history = run(line, tmp_path, watcher)
    assert (history.end_reason, watcher.epochs) == (EndReason.CONVERGED, [1, 2, 3, 4])
    assert history == run(whole, tmp_path / "whole", Watcher())
    np.testing.assert_array_equal(line.network.get_weights(), whole.network.get_weights())


def test_short_epochs_are_saved_once_in_a_while_and_the_last_one_always(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epochs, "CHECKPOINT_INTERVAL_S", 3600.0)
    with pytest.raises(CutError):
        run(Line(), tmp_path, Watcher(cut_after=3 * STEPS + 1))
    watcher = Watcher()
    run(Line(), tmp_path, watcher)
    assert watcher.epochs == [1, 2, 3, 4]  # nothing was left to continue from
    again = Watcher()
    assert len(run(Line(), tmp_path, again).epochs) == EPOCHS
    assert again.epochs == []


def test_a_checkpoint_of_another_network_or_release_is_not_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operators of two workers may have put networks of the same name and the same shapes there.

    Another release may train the same arrays in another way.
    """

    def run_on(network: str, watcher: Watcher) -> None:
        attempt = attempt_in(tmp_path, ClassificationOptions(), watcher)
        attempt.learns_from = network
        course = Course("line", ROWS, EPOCHS, STEPS, RateSchedule(0.1, EPOCHS * STEPS, warm_up_steps=2))
        EpochLoop(Line().learner(), course, attempt).run()

    with pytest.raises(CutError):
        run_on("one", Watcher(cut_after=2 * STEPS + 2))
    same, other = Watcher(cut_after=STEPS + 1), Watcher()
    with pytest.raises(CutError):  # the control continues with the third epoch
        run_on("one", same)
    run_on("another", other)
    assert (same.epochs, other.epochs) == ([3], [1, 2, 3, 4])

    with pytest.raises(CutError):
        run_on("one", Watcher(cut_after=2 * STEPS + 2))
    monkeypatch.setattr(epochs, "TRAINERS_VERSION", 1000)
    later = Watcher()
    run_on("one", later)
    assert later.epochs == [1, 2, 3, 4]
