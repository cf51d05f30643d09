"""The losses that a U-Net is trained with: the pixels' cross-entropy plus 1 - Dice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from trainer_worker.segmentation.classes import UNLABELLED

#: Added to numerator and denominator of the Dice loss, in pixels, so that an empty mask has a gradient too.
DICE_SMOOTHING_PX = 1.0
#: A class with a smaller share of the pixels gets the weight of a class with this share.
LEAST_SHARE = 1e-4

#: From masks uint8 (n, S, S) and logits float32 (n, S, S, channels) to the loss of each picture, float32 (n,).
MaskLoss = Callable[[Any, Any], Any]


def dice_and_cross_entropy(masks: Any, logits: Any) -> Any:
    """The pixels' mean cross-entropy, plus 1 - the picture's soft Dice (V-Net, Milletari et al., 2016).

    This is the MaskLoss for masks of 0 and 1 and logits of one channel. Pixels that are UNLABELLED do not count.
    """
    axes = (1, 2, 3)
    truth = tf.cast(masks == 1, tf.float32)[..., tf.newaxis]
    labelled = tf.cast(masks != UNLABELLED, tf.float32)[..., tf.newaxis]
    wrong = tf.nn.sigmoid_cross_entropy_with_logits(truth, logits) * labelled
    cross_entropy = tf.reduce_mean(wrong, axes) / tf.maximum(tf.reduce_mean(labelled, axes), LEAST_SHARE)
    probabilities = tf.sigmoid(logits) * labelled
    both = tf.reduce_sum(probabilities * truth, axes)
    total = tf.reduce_sum(probabilities + truth, axes)
    return cross_entropy + 1 - (2 * both + DICE_SMOOTHING_PX) / (total + DICE_SMOOTHING_PX)


def dice_and_categorical_cross_entropy(weights: Any) -> MaskLoss:
    """The MaskLoss for masks of class numbers and logits with one channel for each class.

    It is the mean weighted cross-entropy of the labelled pixels, plus the mean of 1 - soft Dice over the foreground
    classes that the picture has. UNLABELLED pixels do not count. weights: of the classes, float32 (classes,).
    """

    def loss(masks: Any, logits: Any) -> Any:
        truth = tf.one_hot(masks, len(weights), dtype=tf.float32)  # zeros throughout for an unlabelled pixel
        labelled = tf.reduce_sum(truth, -1, keepdims=True)
        wrong = -tf.reduce_sum(truth * weights * tf.nn.log_softmax(logits), (1, 2, 3))
        cross_entropy = wrong / tf.maximum(tf.reduce_sum(labelled, (1, 2, 3)), 1)
        probabilities = tf.nn.softmax(logits) * labelled
        both = tf.reduce_sum(probabilities * truth, (1, 2))[:, 1:]
        total = tf.reduce_sum(probabilities + truth, (1, 2))[:, 1:]
        dice = (2 * both + DICE_SMOOTHING_PX) / (total + DICE_SMOOTHING_PX)
        present = tf.cast(tf.reduce_any(truth > 0, (1, 2)), tf.float32)[:, 1:]
        missing = tf.reduce_sum(present * (1 - dice), -1)
        return cross_entropy + missing / tf.maximum(tf.reduce_sum(present, -1), 1)

    return loss


def class_weights(masks: Any, rows: Any, classes: int) -> Any:
    """The weight of a pixel of each class: 1/sqrt(the class's share of those rows' labelled pixels), 1 on average.

    It is the square root because the Dice part of the loss already counts all classes alike. masks: uint8 (n, S, S).
    Returns float32 (classes,).
    """
    pixels = np.zeros(classes, np.int64)
    for row in rows:
        pixels += np.bincount(masks[row].ravel(), minlength=classes)[:classes]
    share = pixels / max(1, pixels.sum())
    weights = 1 / np.sqrt(np.maximum(share, LEAST_SHARE))
    average = max(float((share * weights).sum()), LEAST_SHARE)
    # A class that those rows lack can't be learned, so it must not outweigh the others.
    return np.where(pixels > 0, weights / average, 1.0).astype(np.float32)
