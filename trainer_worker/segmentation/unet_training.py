"""Train a U-Net's decoder on the features of its frozen encoder."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import tensorflow as tf

from protocol.end_reason import EndReason
from protocol.errors import TrainingError
from protocol.options import TrainingOptions
from trainer_worker.attempt.time_budget import share_spent
from trainer_worker.optimization.muon import Muon
from trainer_worker.optimization.training_copies import decoder_twin
from trainer_worker.project.checkpoints import Checkpoints, RandomState
from trainer_worker.segmentation import unet
from trainer_worker.segmentation.classes import UNLABELLED
from trainer_worker.segmentation.losses import (
    MaskLoss,
    class_weights,
    dice_and_categorical_cross_entropy,
    dice_and_cross_entropy,
)
from trainer_worker.segmentation.skip_features import VIEWS, SkipFeatures, view_of

#: Passes over the training pictures: as many as show so many, within these bounds. Of 20 of digits at 128 px, two
#: seeds, Dice was 86.4 and 88.4 % after 16, 88.3 and 89.2 % after 24, 89.4 and 90.1 % after 40, in 5, 6 and 8 s; of 80
#: it was 93.9 and 93.7 % after 16, 93.9 and 94.1 % after 24 (a throwaway trial).
WANTED_EXAMPLES = 1200
MIN_EPOCHS, MAX_EPOCHS = 16, 40
#: Few pictures are taken in smaller batches, down to LEAST_BATCH, to reach so many optimizer steps: after 16 epochs of
#: 80 of digits at 128 px, two seeds, Dice was 92.7 and 93.5 % by steps of 8, 93.9 and 93.7 % by steps of 4, in a fifth
#: more time (a throwaway trial).
WANTED_STEPS = 500
LEAST_BATCH = 4
#: The learning rate rises over this share of the steps and then falls along a cosine to a fiftieth of its peak.
WARMUP_SHARE = 0.05
FINAL_RATE_SHARE = 0.02
CHECKPOINT = "decoder"


@dataclass
class DecoderHistory:
    """What happened. epochs: of each, the mean loss, and the Dice of all its pixels while training (tally_of)."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    #: DIVERGED: the decoder holds weights from before, those of the last epoch or of a later on_model.
    end_reason: EndReason = EndReason.CONVERGED


@dataclass(frozen=True)
class TrainingHooks:
    """What the trainer wants to know of: on_step(fraction, loss), on_epoch(number, metrics); and what it says.

    why_end(): asked at every batch, None to go on. wants_model(steps): asked after so many optimizer steps; then
    on_model(history) may use the decoder as it is by now, in the midst of an epoch. end_by_s: monotonic time at which
    why_end() will end it, if nothing else does.
    """

    on_step: Callable[[float, float], None]
    on_epoch: Callable[[int, dict[str, float]], None]
    why_end: Callable[[], EndReason | None]
    wants_model: Callable[[int], bool] = lambda steps: False
    on_model: Callable[[DecoderHistory], None] = lambda history: None
    end_by_s: float = math.inf


class _Epoch(msgspec.Struct, frozen=True):
    loss: float
    dice: float


class _Facts(msgspec.Struct, frozen=True):
    """What a checkpoint says beside its arrays. epochs_in_all, rows: of the training that left it."""

    epochs_in_all: int
    rows: list[int]
    epochs: list[_Epoch]
    random: RandomState


def fit_decoder(
    decoder: Any,
    features: SkipFeatures,
    masks: Any,
    rows: Sequence[int],
    options: TrainingOptions,
    hooks: TrainingHooks,
    checkpoints: Checkpoints,
) -> DecoderHistory:
    """Train on these rows for planned_epochs; the decoder ends up as the last epoch left it.

    masks: uint8 (n, S, S), of 0 and 1 for a decoder of one channel, else of class numbers and UNLABELLED.
    An epoch shows every picture once, in a random view. All pictures train: an inner validation of 15 % of them, which
    chose the epoch, cost 0.8 to 1.7 points of Dice (a throwaway trial at 128 px, 80 digits and 19 pictures of lines,
    two seeds each). The rate falls to nearly nothing by the last epoch, or by end_by_s where that comes first. After
    each epoch a checkpoint is left, from which a later call with the same arguments goes on, to the same end.
    A checkpoint that leads to no numbers was damaged, and the training then begins anew.
    Raises TrainingError unsupported_option when the learning rate is so high that not one epoch gives a number.
    """
    fresh = decoder.get_weights()
    history, resumed = _run_epochs(decoder, features, masks, rows, options, hooks, checkpoints)
    if resumed and history.end_reason is EndReason.DIVERGED:
        checkpoints.clear()
        decoder.set_weights(fresh)
        history, _ = _run_epochs(decoder, features, masks, rows, options, hooks, checkpoints)
    if not history.epochs:
        rate = f"learningRate={options.learning_rate:g} is too high"
        raise TrainingError("unsupported_option", f"{rate}: in epoch 1 the loss was no number. Try 0.001.")
    if history.end_reason is EndReason.CONVERGED and planned_epochs(len(rows), options) == options.epochs:
        history.end_reason = EndReason.EPOCHS
    return history


def _run_epochs(
    decoder: Any,
    features: SkipFeatures,
    masks: Any,
    rows: Sequence[int],
    options: TrainingOptions,
    hooks: TrainingHooks,
    checkpoints: Checkpoints,
) -> tuple[DecoderHistory, bool]:
    """The epochs of fit_decoder that are left to do, and whether there was a checkpoint to go on from."""
    epochs = planned_epochs(len(rows), options)
    batches = -(-len(rows) // batch_size_for(len(rows), options))
    twin = decoder_twin(decoder)
    optimizer = Muon(twin.trainable_variables, unet.normalized_kernels(twin))
    step = _training_step(twin, optimizer, loss_for(decoder, masks, rows))
    random = np.random.default_rng(options.seed)
    state = _State(twin, optimizer, random, checkpoints, epochs, list(rows))
    history = state.resume()
    resumed = bool(history.epochs)
    decoder.set_weights(twin.get_weights())
    steps, begun_s = batches * epochs, time.monotonic()
    for epoch in range(len(history.epochs) + 1, epochs + 1):
        losses, tallies = [], []
        for number, (inputs, truth) in enumerate(_inputs(features, masks, _drawn(random, rows, batches))):
            done = (epoch - 1) * batches + number
            spent = share_spent(begun_s, hooks.end_by_s)
            optimizer.learning_rate.assign(learning_rate_at(done, steps, options.learning_rate, spent))
            loss, tally = step(inputs, truth)
            losses.append(float(loss))
            tallies.append(tally.numpy())
            hooks.on_step((done + 1) / steps, losses[-1])
            if hooks.why_end():
                break
            if hooks.wants_model(done + 1) and _are_numbers(weights := twin.get_weights()):
                decoder.set_weights(weights)
                hooks.on_model(history)
        weights = twin.get_weights()
        # The last step of an epoch may break the weights after a loss that still was a number.
        if not _are_numbers([losses, *weights]):
            history.end_reason = EndReason.DIVERGED
            break
        decoder.set_weights(weights)
        both, total = np.sum(tallies, axis=0)
        history.epochs.append({"loss": float(np.mean(losses)), "dice": float(2 * both / max(1, total))})
        hooks.on_epoch(epoch, history.epochs[-1])
        if reason := hooks.why_end():
            history.end_reason = reason
            break
        state.save(history)
    return history, resumed


def _are_numbers(arrays: Sequence[Any]) -> bool:
    return all(bool(np.isfinite(values).all()) for values in arrays)


def planned_epochs(examples: int, options: TrainingOptions) -> int:
    """Passes over so many pictures: few over many, more over few, never above the option."""
    return min(options.epochs, max(MIN_EPOCHS, min(MAX_EPOCHS, math.ceil(WANTED_EXAMPLES / examples))))


def batch_size_for(examples: int, options: TrainingOptions) -> int:
    """Pictures per optimizer step when so many are trained on: the option's, or fewer where there are few of them."""
    shown = planned_epochs(examples, options) * examples
    return min(options.batch_size, max(LEAST_BATCH, shown // WANTED_STEPS))


@dataclass(frozen=True)
class _State:
    """All that a training is at the end of an epoch, and the checkpoint that keeps it."""

    twin: Any
    optimizer: Muon
    random: np.random.Generator
    checkpoints: Checkpoints
    epochs_in_all: int
    rows: list[int]

    def save(self, history: DecoderHistory) -> None:
        epochs = [_Epoch(**epoch) for epoch in history.epochs]
        facts = _Facts(self.epochs_in_all, self.rows, epochs, RandomState.of(self.random))
        self.checkpoints.save(CHECKPOINT, facts, self._arrays())

    def resume(self) -> DecoderHistory:
        """Put everything back to where the last checkpoint was left; an empty history where there is none that fits.

        Terms are others after pictures came or an upgrade; what was scored then may be trained on now. Arrays are of
        other shapes where classes.txt was changed, or the optimizer by an upgrade, between two attempts.
        """
        saved = self.checkpoints.load(CHECKPOINT, _Facts, self._arrays())
        if saved is None:
            return DecoderHistory()
        facts, arrays = saved
        terms = (self.epochs_in_all, self.rows)
        if (facts.epochs_in_all, facts.rows) != terms or len(facts.epochs) > self.epochs_in_all:
            return DecoderHistory()
        count = len(self.twin.weights)
        self.twin.set_weights(arrays[:count])
        for variable, value in zip(self.optimizer.state, arrays[count:], strict=True):
            variable.assign(value)
        facts.random.restore(self.random)
        return DecoderHistory([msgspec.structs.asdict(epoch) for epoch in facts.epochs])

    def _arrays(self) -> list[np.ndarray]:
        return [*self.twin.get_weights(), *(variable.numpy() for variable in self.optimizer.state)]


def _drawn(random: np.random.Generator, rows: Any, batches: int) -> list[tuple[Any, Any]]:
    """Rows and views of each batch of an epoch."""
    order, views = random.permutation(rows), random.integers(VIEWS, size=len(rows))
    return list(zip(np.array_split(order, batches), np.array_split(views, batches), strict=True))


def _inputs(features: SkipFeatures, masks: Any, batches: Sequence[tuple[Any, Any]]) -> Iterator[tuple[list[Any], Any]]:
    """Feature maps and masks of each batch of (rows, views), as tensors."""
    for (rows, views), maps in zip(batches, features.batches(batches), strict=True):
        truth = np.stack([view_of(masks[row], view) for row, view in zip(rows, views, strict=True)])
        yield [tf.constant(x) for x in maps], tf.constant(truth)


def learning_rate_at(step: int, steps: int, peak: float, spent: float = 0.0) -> float:
    """The rate of a step (from 0): a straight rise to `peak`, then half a cosine down (SGDR, Loshchilov, 2017).

    spent: share of the time that there is, for a training that the time may end (budgeted training, Li et al. 2020).
    Worked out here and not by a Keras schedule, which is traced once for each weight: seconds per task.
    """
    warmup_steps = max(1, round(WARMUP_SHARE * steps))
    done = min(1.0, max((step - warmup_steps) / max(1, steps - warmup_steps), spent))
    falling = FINAL_RATE_SHARE + (1 - FINAL_RATE_SHARE) * (1 + math.cos(math.pi * max(0.0, done))) / 2
    return peak * min(1.0, (step + 1) / warmup_steps) * falling


def _signature(decoder: Any) -> list[Any]:
    """Features and masks of any number of pictures: traced once, for tracing costs as much as an epoch."""
    features = [tf.TensorSpec(x.shape, tf.float16) for x in decoder.inputs]
    return [features, tf.TensorSpec(decoder.output.shape[:-1], tf.uint8)]


def loss_for(decoder: Any, masks: Any, train_rows: Any) -> MaskLoss:
    """Foreground or not, or classes that weigh the more the rarer they are in the training pictures."""
    classes = decoder.output.shape[-1]
    if classes == 1:
        return dice_and_cross_entropy
    return dice_and_categorical_cross_entropy(class_weights(masks, train_rows, classes))


def _training_step(twin: Any, optimizer: Muon, loss_of: MaskLoss) -> Any:
    """(feature maps, masks) -> (loss, tally_of). The loss is float32, whatever the twin computes in."""

    @tf.function(input_signature=_signature(twin), autograph=False)  # type: ignore[untyped-decorator]
    def step(inputs: list[Any], masks: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = twin([tf.cast(x, y.dtype) for x, y in zip(inputs, twin.inputs, strict=True)], training=True)
            logits = tf.cast(logits, tf.float32)
            loss = tf.reduce_mean(loss_of(masks, logits))
        optimizer.apply(tape.gradient(loss, twin.trainable_variables))
        return loss, tally_of(masks, logits)

    return step


def tally_of(masks: Any, logits: Any) -> Any:
    """int32 (2,): pixels of foreground that were found as what they are, and those that are foreground or were found to
    be, added up. Twice the one by the other is Dice. UNLABELLED pixels don't count."""
    found = logits[..., 0] > 0 if logits.shape[-1] == 1 else tf.argmax(logits, axis=-1)
    found, labelled = tf.cast(found, tf.uint8), masks != UNLABELLED
    is_foreground, found_so = labelled & (masks > 0), labelled & (found > 0)
    both = is_foreground & (found == masks)
    total = [tf.reduce_sum(tf.cast(x, tf.int32)) for x in (both, is_foreground, found_so)]
    return tf.stack([total[0], total[1] + total[2]])
