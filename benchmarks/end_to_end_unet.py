"""Trains a U-Net as one would write it by hand: all of it learns, from augmented pictures, by AdamW."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer_worker.pictures.splits import Split
from trainer_worker.segmentation.folders import Examples
from trainer_worker.segmentation.losses import MaskLoss
from trainer_worker.segmentation.unet_training import loss_for, rate_schedule
from trainer_worker.segmentation.views import laid

#: The pretrained encoder is trained at a share of the new decoder's rate:
#: docs/choices.md, "The U-Net that is compared".
UNET_BATCH = 8
UNET_EPOCHS = 30
UNET_RATE = 3e-3
UNET_ENCODER_SHARE = 0.3
UNET_WEIGHT_DECAY = 1e-4
UNET_GRADIENT_NORM_LIMIT = 5.0
UNET_PATIENCE_EPOCHS = 10
#: The share of the training pictures that choose the epoch.
UNET_VALIDATION_SHARE = 0.15
#: A training picture's contrast is scaled by up to this share and its brightness moved by up to this share of white.
UNET_CONTRAST = 0.2
UNET_BRIGHTNESS = 0.1


@dataclass(frozen=True)
class Course:
    """In which views a U-Net trains, and for how many epochs, but not beyond end_by_s (of time.perf_counter).

    If the time ends it, its learning rate has fallen by then as it otherwise would by the last epoch.
    """

    seed: int
    views: Sequence[int]
    epochs: int = UNET_EPOCHS
    end_by_s: float = math.inf


def fit_unet(encoder: Any, decoder: Any, examples: Examples, split: Split, course: Course) -> None:
    """Train encoder and decoder. They end with the weights of the epoch that has the lowest inner validation loss."""
    logits = keras.Model(encoder.input, decoder(encoder.outputs))
    inner = _inner_split(split, course.seed)
    rows, val_rows = np.asarray(examples.rows_of(inner.train)), np.asarray(examples.rows_of(inner.held_out))
    loss_of = loss_for(decoder, examples.masks, rows)
    parts = [(_optimizer(), encoder.trainable_variables, UNET_ENCODER_SHARE)]
    parts.append((_optimizer(), decoder.trainable_variables, 1.0))
    step, validate = _training_step(logits, parts, loss_of), _validation(logits, loss_of)
    random, began_s = np.random.default_rng(course.seed), time.perf_counter()
    batches = -(-len(rows) // UNET_BATCH)
    schedule = rate_schedule(course.epochs * batches, UNET_RATE)
    best_loss, best_weights, best_epoch = np.inf, logits.get_weights(), 0
    for epoch in range(course.epochs):
        for number, batch in enumerate(np.array_split(random.permutation(rows), batches)):
            if time.perf_counter() >= course.end_by_s:
                break
            spent = (time.perf_counter() - began_s) / max(1e-9, course.end_by_s - began_s)
            rate = schedule.at(epoch * batches + number, spent)
            for optimizer, _, share in parts:
                optimizer.learning_rate = rate * share
            step(*_augmented(examples, batch, course.views, random))
        parts_of_val = np.array_split(val_rows, -(-len(val_rows) // UNET_BATCH))
        losses = [validate(examples.pictures[part], examples.masks[part]).numpy() for part in parts_of_val]
        val_loss = float(np.concatenate(losses).mean())
        if val_loss < best_loss:
            best_loss, best_weights, best_epoch = val_loss, logits.get_weights(), epoch
        elif epoch - best_epoch >= UNET_PATIENCE_EPOCHS:
            break
        if time.perf_counter() >= course.end_by_s:
            break
    logits.set_weights(best_weights)


def _inner_split(split: Split, seed: int) -> Split:
    pairs = np.random.default_rng(seed).permutation(split.train)
    validation = max(1, round(UNET_VALIDATION_SHARE * len(pairs)))
    return Split(train=np.sort(pairs[validation:]), held_out=np.sort(pairs[:validation]))


def _optimizer() -> Any:
    return keras.optimizers.AdamW(weight_decay=UNET_WEIGHT_DECAY, global_clipnorm=UNET_GRADIENT_NORM_LIMIT)


def _augmented(examples: Examples, rows: Any, views: Sequence[int], random: np.random.Generator) -> tuple[Any, Any]:
    """Pictures float32 (n, S, S, 3) and masks of these rows, as they lie in the views, in lights of their own."""
    pictures, masks = [], []
    for row, view in zip(rows, random.choice(views, size=len(rows)), strict=True):
        picture = laid(examples.pictures[row], view).astype(np.float32)
        contrast = random.uniform(1 - UNET_CONTRAST, 1 + UNET_CONTRAST)
        brightness = 255 * random.uniform(-UNET_BRIGHTNESS, UNET_BRIGHTNESS)
        pictures.append(np.clip((picture - picture.mean()) * contrast + picture.mean() + brightness, 0, 255))
        masks.append(laid(examples.masks[row], view))
    return tf.constant(np.stack(pictures)), tf.constant(np.stack(masks))


def _training_step(logits: Any, parts: list[tuple[Any, Any, float]], loss_of: MaskLoss) -> Any:
    for optimizer, variables, _ in parts:
        optimizer.build(variables)

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def step(pictures: Any, masks: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(loss_of(masks, logits(pictures, training=True)))
        gradients = tape.gradient(loss, [variables for _, variables, _ in parts])
        for (optimizer, variables, _), found in zip(parts, gradients, strict=True):
            optimizer.apply(found, variables)

    return step


def _validation(logits: Any, loss_of: MaskLoss) -> Any:
    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def validate(pictures: Any, masks: Any) -> Any:
        return loss_of(masks, logits(tf.cast(pictures, tf.float32), training=False))

    return validate
