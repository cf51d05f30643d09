"""How a decoder's training ends, and what it says of itself while it lasts."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from protocol.end_reason import EndReason
from protocol.errors import TrainingError
from protocol.options import SegmentationOptions
from tests.project_folders import attempt_in
from trainer_worker.attempt.job import Epoch, Reporter, SilentReporter
from trainer_worker.optimization import epochs
from trainer_worker.optimization.epochs import History
from trainer_worker.segmentation import unet_training
from trainer_worker.segmentation.classes import UNLABELLED
from trainer_worker.segmentation.losses import MaskLoss
from trainer_worker.segmentation.skip_features import SkipFeatures
from trainer_worker.segmentation.unet import build_decoder
from trainer_worker.segmentation.unet_training import (
    FINAL_RATE_SHARE,
    WARMUP_SHARE,
    MaskedFeatures,
    fit_decoder,
    rate_schedule,
    tally_of,
)
from trainer_worker.segmentation.views import MIRRORED, lies_within, views_of

SIZE, PICTURES = 64, 8


@pytest.fixture(scope="module")
def encoder() -> Any:
    inputs = keras.Input((SIZE, SIZE, 3))
    maps = [keras.layers.Conv2D(8, stride, stride)(inputs / 255) for stride in (2, 4, 8, 16, 32)]
    return keras.Model(inputs, maps)


class Watcher(SilentReporter):
    """Notes the epochs. stop_after: so many steps have been taken when a stop is requested; 0 for never."""

    def __init__(self, stop_after: int = 0) -> None:
        self.epochs: list[int] = []
        self._steps, self._stop_after = 0, stop_after

    def step(self, fraction: float, **metrics: float) -> None:
        self._steps += 1

    def epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch.number)

    @property
    def stop_requested(self) -> bool:
        return bool(self._stop_after) and self._steps >= self._stop_after


def train(
    encoder: Any, folder: Path, reporter: Reporter | None = None, end_by_s: float = math.inf
) -> tuple[History, Any]:
    """Four epochs of two steps on bright squares; history and decoder."""
    keras.utils.set_random_seed(1)
    random = np.random.default_rng(1)
    masks = np.zeros((PICTURES, SIZE, SIZE), np.uint8)
    masks[:, 16:48, 16:48] = 1
    pictures = (random.integers(0, 80, (PICTURES, SIZE, SIZE, 3)) + 150 * masks[..., None]).astype(np.uint8)
    decoder = build_decoder([tuple(x.shape[1:]) for x in encoder.outputs])
    options = SegmentationOptions(epochs=4, batch_size=4, image_size=SIZE)
    data = MaskedFeatures(
        SkipFeatures(encoder, pictures, 2**28), masks, range(PICTURES), views_of(lies_within(MIRRORED))
    )
    return fit_decoder(decoder, data, attempt_in(folder, options, reporter), end_by_s), decoder


def test_a_stop_keeps_what_was_learned_so_far(encoder: Any, tmp_path: Path) -> None:
    watcher = Watcher(stop_after=3)
    history, decoder = train(encoder, tmp_path, watcher)
    assert (history.end_reason, watcher.epochs, history.steps) == (EndReason.STOPPED, [1, 2], 3)
    whole, other = train(encoder, tmp_path / "whole")
    assert (whole.end_reason, len(whole.epochs)) == ("epochs", 4)
    assert any(not np.array_equal(a, b) for a, b in zip(decoder.get_weights(), other.get_weights(), strict=True))


def test_fewer_epochs_than_the_caller_allows_are_an_end_of_its_own(
    encoder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MIN_EPOCHS", "MAX_EPOCHS"):
        monkeypatch.setattr(unet_training, name, 2)
    history, _ = train(encoder, tmp_path)
    assert (history.end_reason, len(history.epochs)) == ("converged", 2)


def test_an_attempt_that_was_lost_after_the_last_epoch_has_nothing_left_to_train(encoder: Any, tmp_path: Path) -> None:
    history, decoder = train(encoder, tmp_path)
    watcher = Watcher()
    again, resumed = train(encoder, tmp_path, watcher)
    assert (again, watcher.epochs) == (history, [])
    for one, other in zip(decoder.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("bad_from_epoch", [1, 3])
def test_a_loss_that_is_no_number_keeps_the_epoch_before(
    encoder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad_from_epoch: int
) -> None:
    kept: list[Any] = []

    def steps_that_break(copy: Any, optimizer: Any, loss_of: MaskLoss) -> Any:
        step, taken = training_step(copy, optimizer, loss_of), 0

        def broken(inputs: Any, masks: Any) -> Any:
            nonlocal taken
            taken += 1
            loss, tally = step(inputs, masks)
            if taken <= 2 * (bad_from_epoch - 1):
                kept[:] = copy.get_weights()
                return loss, tally
            return loss * math.nan, tally

        return broken

    training_step = unet_training._training_step
    monkeypatch.setattr(unet_training, "_training_step", steps_that_break)
    if bad_from_epoch == 1:
        with pytest.raises(TrainingError, match="too high: in epoch 1 the loss was no number"):
            train(encoder, tmp_path)
        return
    history, decoder = train(encoder, tmp_path)
    assert (history.end_reason, len(history.epochs)) == ("diverged", 2)
    for now, then in zip(decoder.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(now, then)


def test_weights_that_the_last_step_of_an_epoch_broke_are_not_kept(
    encoder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All losses are finite, so only the weights show it."""

    def steps_that_break(copy: Any, optimizer: Any, loss_of: MaskLoss) -> Any:
        step, taken = training_step(copy, optimizer, loss_of), 0

        def broken(inputs: Any, masks: Any) -> Any:
            nonlocal taken
            taken += 1
            outcome = step(inputs, masks)
            if taken == 4:
                copy.trainable_variables[0].assign(copy.trainable_variables[0] * math.nan)
            return outcome

        return broken

    training_step = unet_training._training_step
    monkeypatch.setattr(unet_training, "_training_step", steps_that_break)
    history, decoder = train(encoder, tmp_path)
    assert (history.end_reason, len(history.epochs)) == ("diverged", 1)
    assert all(np.isfinite(values).all() for values in decoder.get_weights())


def test_the_rate_falls_with_the_time_where_that_ends_the_training(
    encoder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the time is nearly over, the weights hardly change any more. At its beginning, the control, they do."""

    def direction(decoder: Any) -> Any:  # a kernel's length is set before the first step
        kernel = decoder.get_layer("mix_2_conv").get_weights()[0]
        return kernel / np.linalg.norm(kernel)

    moved = []
    for spent in (1.0, 0.0):
        monkeypatch.setattr(epochs, "share_spent", lambda begun_s, end_by_s, spent=spent: spent)
        history, decoder = train(encoder, tmp_path / str(spent))
        assert len(history.epochs) == 4
        keras.utils.set_random_seed(1)
        first = build_decoder([tuple(x.shape[1:]) for x in encoder.outputs])
        moved.append(np.abs(direction(decoder) - direction(first)).max())
    assert moved[0] < moved[1] / 5


def test_a_time_that_is_over_leaves_one_step_and_says_so(encoder: Any, tmp_path: Path) -> None:
    """A decoder begins with random weights, so a training of no step would leave nothing of use."""
    history, _ = train(encoder, tmp_path, end_by_s=time.monotonic())
    assert (history.end_reason, history.steps, len(history.epochs)) == (EndReason.BUDGET, 1, 1)


def test_the_rate_rises_and_falls_to_a_fiftieth() -> None:
    steps = 200
    warmup = round(WARMUP_SHARE * steps)
    rate = rate_schedule(steps, 1.0)
    assert rate.at(0) == pytest.approx(1 / warmup)
    assert rate.at(warmup) == pytest.approx(1.0)
    assert rate.at(steps) == pytest.approx(FINAL_RATE_SHARE)
    assert rate.at(warmup, time_spent=0.5) == pytest.approx((1 + FINAL_RATE_SHARE) / 2)
    assert rate.at(warmup, time_spent=1.5) == pytest.approx(FINAL_RATE_SHARE)


def test_tally_counts_foreground_and_leaves_out_what_is_unlabelled() -> None:
    masks = np.array([[[0, 1, 1, 1]]], np.uint8)
    logits = np.array([[[[1.0], [1.0], [-1.0], [1.0]]]], np.float32)
    assert tally_of(masks, logits).numpy().tolist() == [2, 3 + 3]

    masks = np.array([[[0, 1, 2, 2, UNLABELLED]]], np.uint8)
    found = [1, 1, 2, 1, 2]
    assert tally_of(masks, np.eye(3, dtype=np.float32)[found][None, None]).numpy().tolist() == [2, 3 + 4]
