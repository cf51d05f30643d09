"""Train a U-Net's decoder on the features of its frozen encoder. Imports TensorFlow; for the trainer process only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from protocol.errors import TrainingError
from protocol.options import TrainingOptions
from trainer_worker.adam import Adam
from trainer_worker.checkpoints import Checkpoints
from trainer_worker.mask_losses import (
    MaskLoss,
    class_weights,
    dice_and_categorical_cross_entropy,
    dice_and_cross_entropy,
)
from trainer_worker.mask_scores import score_classes
from trainer_worker.quick_twins import decoder_twin
from trainer_worker.skip_features import VIEWS, SkipFeatures, view_of

#: Epochs without a better inner validation loss after which training ends.
PATIENCE_EPOCHS = 10
#: Few pictures are taken in smaller batches, down to LEAST_BATCH, to reach so many optimizer steps: with 68 of digits
#: at 128 px, two seeds, Dice was 0.895 and 0.903 after 270 steps of 8, and 0.898 and 0.920 after 510 of 4, the passes
#: being 30 either way. 204 of nuclei gained nothing: 0.880 after 520 steps of 8, 0.879 after 1,020 of 4, one seed.
WANTED_STEPS = 500
LEAST_BATCH = 4
WEIGHT_DECAY = 1e-4
#: The learning rate rises over this share of the steps and then falls along a cosine to a fiftieth of its peak.
WARMUP_SHARE = 0.05
FINAL_RATE_SHARE = 0.02
GRADIENT_NORM_LIMIT = 5.0
PREDICT_BATCH = 16
CHECKPOINT = "decoder"


@dataclass
class DecoderHistory:
    """What happened: one dict of metrics per epoch, the epoch that was kept (from 1), and why training ended."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    #: "epochs" (as many as were asked for), "converged", "budget" (of time), "stopped" or "diverged".
    end_reason: str = "epochs"
    stopped_early: bool = False


@dataclass(frozen=True)
class TrainingHooks:
    """What the trainer wants to know of: on_step(fraction, loss), on_epoch(number, metrics); and what it says.

    why_end(): asked at every batch, "stopped" or "budget" to end, "" to go on. after_epoch(weights, history): of the
    best epoch so far; it may use the decoder, if it leaves it as it was.
    """

    on_step: Callable[[float, float], None]
    on_epoch: Callable[[int, dict[str, float]], None]
    why_end: Callable[[], str]
    after_epoch: Callable[[list[Any], DecoderHistory], None] = lambda weights, history: None


def fit_decoder(
    decoder: Any,
    features: SkipFeatures,
    masks: Any,
    rows: tuple[Sequence[int], Sequence[int]],
    options: TrainingOptions,
    hooks: TrainingHooks,
    checkpoints: Checkpoints,
) -> DecoderHistory:
    """Train; the decoder ends up with the weights of the epoch with the lowest inner validation loss.

    masks: uint8 (n, S, S), of 0 and 1 for a decoder of one channel, else of class numbers and UNLABELLED.
    rows: row numbers of the training and of the inner validation pictures.
    An epoch shows every training picture once, in a random view. After each a checkpoint is left, from which a
    later call with the same arguments goes on, to the same end.
    Raises TrainingError unsupported_option when the learning rate is so high that not one epoch gives a number.
    """
    train_rows, val_rows = np.asarray(rows[0]), np.asarray(rows[1])
    batches = -(-len(train_rows) // batch_size_for(len(train_rows), options))
    loss_of = loss_for(decoder, masks, train_rows)
    twin = decoder_twin(decoder)
    optimizer = Adam(twin.trainable_variables, WEIGHT_DECAY, GRADIENT_NORM_LIMIT)
    step = _training_step(twin, optimizer, loss_of)
    predict = _prediction(decoder, loss_of)
    classes = max(2, decoder.output.shape[-1])
    random = np.random.default_rng(options.seed)
    best = _Best(decoder)
    history = _resume(checkpoints, decoder, optimizer, random, best)
    twin.set_weights(decoder.get_weights())
    for epoch in range(len(history.epochs) + 1, options.epochs + 1):
        losses = []
        for number, (inputs, truth) in enumerate(_inputs(features, masks, _drawn(random, train_rows, batches))):
            done = (epoch - 1) * batches + number
            optimizer.learning_rate.assign(learning_rate_at(done, batches * options.epochs, options.learning_rate))
            losses.append(float(step(inputs, truth)))
            hooks.on_step((done + 1) / (batches * options.epochs), losses[-1])
            if hooks.why_end():
                break
        decoder.set_weights(twin.get_weights())
        metrics = {"loss": float(np.mean(losses)), **_validate(predict, features, masks, val_rows, classes)}
        history.epochs.append(metrics)
        hooks.on_epoch(epoch, metrics)
        if best.is_beaten_by(metrics["val_loss"]):
            history.best_epoch = epoch
        if _is_over(history, losses, hooks):
            break
        _save(checkpoints, decoder, optimizer, random, best, history)
        if history.best_epoch:
            hooks.after_epoch(best.weights, history)
    if not history.best_epoch:
        rate = f"learningRate={options.learning_rate:g} is too high"
        raise TrainingError("unsupported_option", f"{rate}: in epoch 1 the loss was no number. Try 0.001.")
    decoder.set_weights(best.weights)
    return history


def batch_size_for(examples: int, options: TrainingOptions) -> int:
    """Pictures per optimizer step when so many are trained on: the option's, or fewer where there are few of them."""
    return min(options.batch_size, max(LEAST_BATCH, options.epochs * examples // WANTED_STEPS))


class _Best:
    """The decoder's weights after the epoch with the lowest inner validation loss."""

    def __init__(self, decoder: Any) -> None:
        self.loss = math.inf
        self.weights = decoder.get_weights()
        self._decoder = decoder

    def is_beaten_by(self, loss: float) -> bool:
        """Take the decoder as it is now if `loss` is lower (a loss that is no number never is)."""
        if not loss < self.loss:
            return False
        self.loss, self.weights = loss, self._decoder.get_weights()
        return True


def _save(
    checkpoints: Checkpoints, decoder: Any, optimizer: Adam, random: Any, best: _Best, history: DecoderHistory
) -> None:
    facts = {
        "epochs": history.epochs,
        "best_epoch": history.best_epoch,
        "best_loss": best.loss if math.isfinite(best.loss) else None,
        "random": random.bit_generator.state,
    }
    optimizer_state = [variable.numpy() for variable in optimizer.state]
    checkpoints.save(CHECKPOINT, facts, [*decoder.get_weights(), *best.weights, *optimizer_state])


def _resume(checkpoints: Checkpoints, decoder: Any, optimizer: Adam, random: Any, best: _Best) -> DecoderHistory:
    """Put everything back to where the last checkpoint was left; an empty history where there is none."""
    saved = checkpoints.load(CHECKPOINT)
    count = len(best.weights)
    expected = [*best.weights, *best.weights, *(variable.numpy() for variable in optimizer.state)]
    # Of other shapes where classes.txt was changed between two attempts.
    if saved is None or [x.shape for x in saved.arrays] != [x.shape for x in expected]:
        return DecoderHistory()
    decoder.set_weights(saved.arrays[:count])
    best.weights = saved.arrays[count : 2 * count]
    best.loss = saved.facts["best_loss"] if saved.facts["best_loss"] is not None else math.inf
    for variable, value in zip(optimizer.state, saved.arrays[2 * count :], strict=True):
        variable.assign(value)
    random.bit_generator.state = saved.facts["random"]
    return DecoderHistory(saved.facts["epochs"], saved.facts["best_epoch"])


def _drawn(random: np.random.Generator, rows: Any, batches: int) -> list[tuple[Any, Any]]:
    """Rows and views of each batch of an epoch."""
    order, views = random.permutation(rows), random.integers(VIEWS, size=len(rows))
    return list(zip(np.array_split(order, batches), np.array_split(views, batches), strict=True))


def _inputs(features: SkipFeatures, masks: Any, batches: Sequence[tuple[Any, Any]]) -> Iterator[tuple[list[Any], Any]]:
    """Feature maps and masks of each batch of (rows, views), as tensors."""
    for (rows, views), maps in zip(batches, features.batches(batches), strict=True):
        truth = np.stack([view_of(masks[row], view) for row, view in zip(rows, views, strict=True)])
        yield [tf.constant(x) for x in maps], tf.constant(truth)


def _is_over(history: DecoderHistory, losses: list[float], hooks: TrainingHooks) -> bool:
    if reason := hooks.why_end():
        history.end_reason, history.stopped_early = reason, reason == "stopped"
    elif not np.isfinite(losses).all():
        history.end_reason = "diverged"
    elif len(history.epochs) - history.best_epoch >= PATIENCE_EPOCHS:
        history.end_reason = "converged"
    else:
        return False
    return True


def learning_rate_at(step: int, steps: int, peak: float) -> float:
    """The rate of a step (from 0): a straight rise to `peak`, then half a cosine down (SGDR, Loshchilov, 2017).

    Worked out here and not by a Keras schedule, which is traced once for each weight: seconds per task.
    """
    warmup_steps = max(1, round(WARMUP_SHARE * steps))
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(1, steps - warmup_steps)
    return peak * (FINAL_RATE_SHARE + (1 - FINAL_RATE_SHARE) * (1 + math.cos(math.pi * done)) / 2)


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


def _training_step(twin: Any, optimizer: Adam, loss_of: MaskLoss) -> Any:
    """The loss and its sums over pixels are float32, whatever the twin computes in."""

    @tf.function(input_signature=_signature(twin), autograph=False)  # type: ignore[untyped-decorator]
    def step(inputs: list[Any], masks: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = twin([tf.cast(x, y.dtype) for x, y in zip(inputs, twin.inputs, strict=True)], training=True)
            loss = tf.reduce_mean(loss_of(masks, tf.cast(logits, tf.float32)))
        optimizer.apply(tape.gradient(loss, twin.trainable_variables))
        return loss

    return step


def _prediction(decoder: Any, loss_of: MaskLoss) -> Any:
    @tf.function(input_signature=_signature(decoder), autograph=False)  # type: ignore[untyped-decorator]
    def predict(inputs: list[Any], masks: Any) -> Any:
        logits = decoder([tf.cast(x, tf.float32) for x in inputs], training=False)
        found = logits[..., 0] > 0 if logits.shape[-1] == 1 else tf.argmax(logits, axis=-1)
        return found, loss_of(masks, logits)

    return predict


def _validate(predict: Any, features: SkipFeatures, masks: Any, rows: Any, classes: int) -> dict[str, float]:
    predicted, losses = [], []
    parts = [rows[start : start + PREDICT_BATCH] for start in range(0, len(rows), PREDICT_BATCH)]
    for inputs, truth in _inputs(features, masks, [(part, np.zeros_like(part)) for part in parts]):
        found, loss = predict(inputs, truth)
        predicted.append(found.numpy())
        losses.append(loss.numpy())
    scores = score_classes(masks[rows], np.concatenate(predicted), [str(number) for number in range(classes)])
    return {"val_loss": float(np.concatenate(losses).mean()), "val_dice": scores.dice, "val_iou": scores.iou}
