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

#: Few pictures train for as many epochs as show this many pictures, within these bounds (docs/choices.md, "Epochs of a
#: segmenter").
WANTED_EXAMPLES = 1200
MIN_EPOCHS, MAX_EPOCHS = 16, 40
#: Few pictures are trained in smaller batches, down to LEAST_BATCH, to reach this many optimizer steps
#: (docs/choices.md, "Batches of a segmenter").
WANTED_STEPS = 500
LEAST_BATCH = 4
#: The learning rate rises over this share of the steps and then falls along a cosine to a fiftieth of its peak.
WARMUP_SHARE = 0.05
FINAL_RATE_SHARE = 0.02
CHECKPOINT = "decoder"


@dataclass
class DecoderHistory:
    """What happened. epochs: the mean loss of each, and the Dice of all its pixels while training (see tally_of)."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    #: DIVERGED: the decoder holds the last good weights, those of the last epoch or of a later on_model.
    end_reason: EndReason = EndReason.CONVERGED


@dataclass(frozen=True)
class TrainingHooks:
    """What the training loop tells its caller, and what it asks.

    on_step(fraction, loss) is called after every batch and on_epoch(number, metrics) after every epoch. why_end() is
    asked after every batch; None means to continue. wants_model(steps) is asked after every batch with the number of
    optimizer steps so far; if it is true, on_model(history) may use the decoder as it is, in the middle of an epoch.
    end_by_s: the monotonic time at which why_end() will end the training at the latest.
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
    """What a checkpoint says besides its arrays: the planned epochs and the rows of the training that left it."""

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
    """Train on these rows for planned_epochs; the decoder keeps the weights of the last epoch.

    masks: uint8 (n, S, S), of 0 and 1 for a decoder with one channel, else of class numbers and UNLABELLED.
    An epoch shows every picture once, in a random view. None is held back to choose an epoch (docs/choices.md, "All
    pictures train the segmenter"). The learning rate falls to nearly nothing by the last epoch, or by end_by_s if that
    comes first. Each epoch leaves a checkpoint. A later call with the same arguments continues from it and ends with
    the same weights. If a resumed training diverges, its checkpoint was damaged, and the training begins anew.
    Raises TrainingError unsupported_option when the learning rate is so high that the first epoch diverges.
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
    """Train the remaining epochs of fit_decoder. Returns the history, and whether it continued from a checkpoint."""
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
        # The last step of an epoch may break the weights although its loss was finite.
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
    """Epochs for this many pictures: the fewer pictures, the more epochs, but never more than the option."""
    return min(options.epochs, max(MIN_EPOCHS, min(MAX_EPOCHS, math.ceil(WANTED_EXAMPLES / examples))))


def batch_size_for(examples: int, options: TrainingOptions) -> int:
    """Pictures per optimizer step: as many as the option says, or fewer if there are only few training pictures."""
    shown = planned_epochs(examples, options) * examples
    return min(options.batch_size, max(LEAST_BATCH, shown // WANTED_STEPS))


@dataclass(frozen=True)
class _State:
    """The whole state of a training at the end of an epoch, and the checkpoints that keep it."""

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
        """Restore the last checkpoint; returns an empty history if there is none that fits.

        The number of epochs or the rows differ after pictures were added or after an upgrade, and a picture that was
        held out then might be trained on now. The shapes of the arrays differ if classes.txt was changed between two
        attempts, or the optimizer by an upgrade.
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
    """The learning rate of a step, counted from 0: a linear rise to `peak`, then a cosine decay.

    The decay is that of SGDR (Loshchilov and Hutter 2017). spent: the share of the time budget that is over, for a
    training that the budget may end (budgeted training, Li et al. 2020). Keras's schedules are not used because
    they are traced once for each weight, which takes seconds per task.
    """
    warmup_steps = max(1, round(WARMUP_SHARE * steps))
    done = min(1.0, max((step - warmup_steps) / max(1, steps - warmup_steps), spent))
    falling = FINAL_RATE_SHARE + (1 - FINAL_RATE_SHARE) * (1 + math.cos(math.pi * max(0.0, done))) / 2
    return peak * min(1.0, (step + 1) / warmup_steps) * falling


def _signature(decoder: Any) -> list[Any]:
    """Features and masks of any number of pictures, so that the step is traced only once: that takes as long as an
    epoch."""
    features = [tf.TensorSpec(x.shape, tf.float16) for x in decoder.inputs]
    return [features, tf.TensorSpec(decoder.output.shape[:-1], tf.uint8)]


def loss_for(decoder: Any, masks: Any, train_rows: Any) -> MaskLoss:
    """The loss for foreground or background, or for classes: a rarer class has a larger weight."""
    classes = decoder.output.shape[-1]
    if classes == 1:
        return dice_and_cross_entropy
    return dice_and_categorical_cross_entropy(class_weights(masks, train_rows, classes))


def _training_step(twin: Any, optimizer: Muon, loss_of: MaskLoss) -> Any:
    """(feature maps, masks) -> (loss, tally_of). The loss is float32, whatever the training copy computes in."""

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
    """The two numbers that Dice is computed from, int32 (2,); UNLABELLED pixels don't count.

    The first is the number of foreground pixels whose class was predicted correctly. The second is the number of
    foreground pixels plus the number of pixels predicted as foreground. Dice is twice the first by the second.
    """
    found = logits[..., 0] > 0 if logits.shape[-1] == 1 else tf.argmax(logits, axis=-1)
    found, labelled = tf.cast(found, tf.uint8), masks != UNLABELLED
    is_foreground, found_so = labelled & (masks > 0), labelled & (found > 0)
    both = is_foreground & (found == masks)
    total = [tf.reduce_sum(tf.cast(x, tf.int32)) for x in (both, is_foreground, found_so)]
    return tf.stack([total[0], total[1] + total[2]])
