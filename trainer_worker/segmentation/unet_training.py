"""Trains a U-Net's decoder on the features of its frozen encoder."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from protocol.end_reason import EndReason
from protocol.errors import TrainingError
from protocol.options import TrainingOptions
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.optimization.epochs import Course, EpochLoop, History, Learner, are_finite
from trainer_worker.optimization.learning_rate import RateSchedule
from trainer_worker.optimization.muon import Muon
from trainer_worker.optimization.training_copies import copy_of_decoder
from trainer_worker.segmentation import unet
from trainer_worker.segmentation.classes import UNLABELLED
from trainer_worker.segmentation.losses import (
    MaskLoss,
    class_weights,
    dice_and_categorical_cross_entropy,
    dice_and_cross_entropy,
)
from trainer_worker.segmentation.skip_features import SkipFeatures
from trainer_worker.segmentation.views import laid

#: Few pictures train for as many epochs as show this many pictures, within these bounds (docs/choices.md, "Epochs of a
#: segmenter").
WANTED_EXAMPLES = 1200
MIN_EPOCHS, MAX_EPOCHS = 16, 40
#: Few pictures are trained in smaller batches, down to LEAST_BATCH, to reach this many optimizer steps
#: (docs/choices.md, "Batches of a segmenter").
WANTED_STEPS = 500
LEAST_BATCH = 4
#: See Muon (docs/choices.md, "Muon's constants").
RATE_OF_KERNELS = 20.0
#: The learning rate rises over this share of the steps and then falls along a cosine to a fiftieth of its peak.
WARMUP_SHARE = 0.05
FINAL_RATE_SHARE = 0.02
CHECKPOINT = "decoder"


@dataclass(frozen=True)
class MaskedFeatures:
    """What a decoder learns from.

    skips: the encoder's features of all pictures. masks: uint8 (n, S, S), of 0 and 1 for a decoder with one channel,
    else of class numbers and UNLABELLED. rows: the pictures that may be trained on. views: in which each of them may be
    shown, see view_choice.py.
    """

    skips: SkipFeatures
    masks: Any
    rows: Sequence[int]
    views: Sequence[int]

    def batches(self, count: int, random: np.random.Generator) -> Iterator[tuple[list[Any], Any]]:
        """One epoch in `count` batches: feature maps and masks as tensors.

        Each picture comes once, in a random view.
        """
        order, views = random.permutation(self.rows), random.choice(self.views, size=len(self.rows))
        drawn = list(zip(np.array_split(order, count), np.array_split(views, count), strict=True))
        for (rows, shown), maps in zip(drawn, self.skips.batches(drawn), strict=True):
            truth = np.stack([laid(self.masks[row], view) for row, view in zip(rows, shown, strict=True)])
            yield [tf.constant(x) for x in maps], tf.constant(truth)


class Interim(Protocol):
    """Publishes the decoder in the middle of its training."""

    def is_due(self, steps: int) -> bool:
        """Asked before each step with the number of optimizer steps so far."""

    def publish(self, history: History) -> None:
        """Called when it is due. The decoder has the weights of that moment."""


def fit_decoder(
    decoder: Any,
    data: MaskedFeatures,
    attempt: Attempt,
    end_by_s: float = math.inf,
    interim: Interim | None = None,
) -> History:
    """Train for planned_epochs; the decoder gets the weights of the last epoch.

    None of the pictures is held back to choose an epoch (docs/choices.md, "All pictures train the segmenter"). The
    learning rate falls to nearly nothing by the last epoch, or by end_by_s (monotonic seconds) if that comes first. At
    least one step is taken, since a decoder begins with random weights. EpochLoop says what the reporter hears and how
    a later attempt continues.
    Raises TrainingError unsupported_option when the learning rate is so high that the first epoch diverges.
    """
    options = attempt.job.options
    copy = copy_of_decoder(decoder)
    learner = _learner(copy, data, options)

    def between_steps(history: History) -> None:
        if interim and interim.is_due(history.steps) and are_finite(weights := copy.get_weights()):
            decoder.set_weights(weights)
            interim.publish(history)

    history = EpochLoop(learner, _course(data.rows, options, end_by_s), attempt).run(between_steps)
    if not history.epochs:
        rate = f"learningRate={options.learning_rate:g} is too high"
        raise TrainingError("unsupported_option", f"{rate}: in epoch 1 the loss was no number. Try 0.001.")
    decoder.set_weights(copy.get_weights())
    if history.end_reason is EndReason.CONVERGED and planned_epochs(len(data.rows), options) == options.epochs:
        history.end_reason = EndReason.EPOCHS
    return history


def _learner(copy: Any, data: MaskedFeatures, options: TrainingOptions) -> Learner:
    """copy: the training copy of the decoder."""
    optimizer = Muon(copy.trainable_variables, unet.normalized_kernels(copy), RATE_OF_KERNELS)
    return Learner(
        network=copy,
        optimizer=optimizer,
        batches=functools.partial(data.batches, steps_of_epoch(len(data.rows), options)),
        step=_training_step(copy, optimizer, loss_for(copy, data.masks, data.rows)),
        score_name="training_dice",
        score_of=lambda tally: float(2 * tally[0] / max(1, tally[1])),
    )


def _course(rows: Sequence[int], options: TrainingOptions, end_by_s: float) -> Course:
    epochs, steps = planned_epochs(len(rows), options), steps_of_epoch(len(rows), options)
    rate = rate_schedule(epochs * steps, options.learning_rate)
    return Course(CHECKPOINT, rows, epochs, steps, rate, end_by_s, least_steps=1)


def rate_schedule(steps: int, peak: float) -> RateSchedule:
    warm_up = max(1, round(WARMUP_SHARE * steps))
    return RateSchedule(peak, steps, warm_up, decays_from=warm_up, final_share=FINAL_RATE_SHARE)


def planned_epochs(examples: int, options: TrainingOptions) -> int:
    """Epochs for this many pictures: the fewer pictures, the more epochs, but never more than the option."""
    return min(options.epochs, max(MIN_EPOCHS, min(MAX_EPOCHS, math.ceil(WANTED_EXAMPLES / examples))))


def batch_size_for(examples: int, options: TrainingOptions) -> int:
    """Pictures per optimizer step: as many as the option says, or fewer if there are only few training pictures."""
    shown = planned_epochs(examples, options) * examples
    return min(options.batch_size, max(LEAST_BATCH, shown // WANTED_STEPS))


def steps_of_epoch(examples: int, options: TrainingOptions) -> int:
    return -(-examples // batch_size_for(examples, options))


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


def _training_step(copy: Any, optimizer: Muon, loss_of: MaskLoss) -> Any:
    """(feature maps, masks) -> (loss, tally_of). The loss is float32, whatever the training copy computes in."""

    @tf.function(input_signature=_signature(copy), autograph=False)  # type: ignore[untyped-decorator]
    def step(inputs: list[Any], masks: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = copy([tf.cast(x, y.dtype) for x, y in zip(inputs, copy.inputs, strict=True)], training=True)
            logits = tf.cast(logits, tf.float32)
            loss = tf.reduce_mean(loss_of(masks, logits))
        optimizer.apply(tape.gradient(loss, copy.trainable_variables))
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
