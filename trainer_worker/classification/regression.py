"""Logistic regression on features, in which small classes count as much as large ones.

The regression weights the pictures of small classes. Their logits are also raised, because a model that knows a class
from few pictures is too unsure about new ones of it.
"""

from __future__ import annotations

import math

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

#: Fine-tuning smooths the labels of its pictures by this much.
LABEL_SMOOTHING = 0.1
#: At 0 every picture counts alike, at 1 every class does. Fine-tuning draws small classes more often instead of
#: weighting the loss, which would give single pictures too much influence (docs/choices.md, "Balance of classes").
BALANCE = 1.0
#: Logit adjustment by the sizes of classes (Menon et al. 2021): the logit of a class is raised by this share of the
#: logarithm of how many times larger the largest class is (docs/choices.md, "Logits of small classes").
ADJUSTMENT = 0.6
ITERATIONS = 100


def image_weights(classes: np.ndarray) -> np.ndarray:
    """The weight of each image, float64 (n,), with mean 1 and larger in small classes. classes: int64 (n,), n >= 1."""
    weights = np.bincount(classes)[classes] ** -BALANCE
    scaled: np.ndarray = weights * (len(classes) / weights.sum())
    return scaled


def logit_adjustment(classes: np.ndarray, labels: int) -> np.ndarray:
    """How much the logit of each label is raised, float32 (labels,); 0 for the largest class and for an absent one.

    No logit is raised by more than half the lead that label smoothing lets the right class have in training. Otherwise
    a class of two pictures would win every picture of another one. classes: int64 (n,) of the training pictures.
    """
    counts = np.bincount(classes, minlength=labels)
    lead = math.log(1 + labels * (1 - LABEL_SMOOTHING) / LABEL_SMOOTHING)
    wanted = ADJUSTMENT * np.log(counts.max() / np.where(counts, counts, counts.max()))
    adjustment: np.ndarray = np.minimum(wanted, lead / 2).astype(np.float32)
    return adjustment


def regression(
    features: np.ndarray, classes: np.ndarray, labels: int, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """A logistic regression of classes int64 (n,) on features float32 (n, f): kernel (f, labels) and bias (labels,).

    The bias includes logit_adjustment. A label without pictures gets zeros. strength: the inverse strength of the L2
    penalty, on standardised features.
    """
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-3
    model = LogisticRegression(C=strength, max_iter=ITERATIONS)
    # OpenBLAS's threads would wait for each other on a busy machine (docs/choices.md, "One thread for the head's
    # regression").
    with threadpool_limits(1):
        model.fit((features - mean) / spread, classes, sample_weight=image_weights(classes))
    present, weights, bias = model.classes_, model.coef_, model.intercept_
    if len(weights) == 1:  # for two classes scikit-learn gives one row: the log odds of the second class
        weights, bias = np.stack([-weights[0], weights[0]]) / 2, np.array([-bias[0], bias[0]]) / 2
    kernel, offset = np.zeros((features.shape[1], labels), np.float32), np.zeros(labels, np.float32)
    kernel[:, present] = (weights / spread).T
    offset[present] = bias - weights @ (mean / spread)
    return kernel, offset + logit_adjustment(classes, labels)
