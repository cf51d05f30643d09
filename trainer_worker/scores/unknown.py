"""When an app should say "unknown" instead of a label, and how many pictures of no class that would spot.

A picture counts as unknown if its largest probability lies below a threshold (the maximum softmax probability of
Hendrycks and Gimpel, 2017). The threshold keeps nearly all right answers; what it spots is estimated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Features = npt.NDArray[Any]

#: The share of the right answers that stay answers.
KEPT = 0.95
#: The threshold is rounded down to this many decimals, so that a kept answer stays kept in every exported file.
DECIMALS = 4
#: Classes that are left out one after the other, and the most classes and pictures that take part.
LEFT_OUT, MOST_CLASSES, MOST_PICTURES = 10, 100, 1000
#: With fewer classes there would be no choice between the rest once one is left out.
LEAST_CLASSES = 3
#: The features are reduced to this many numbers, and their variances are raised by this share of the mean variance.
COMPONENTS, RIDGE = 64, 0.1
#: With 2 instead, the estimate for 300 digits lay anywhere from 12 to 21 %, by the seed. Exact components give 22 %.
POWER_ITERATIONS = 7


@dataclass(frozen=True)
class Unknown:
    """threshold: answers with a lower probability are unknown. kept: the share of the right answers that stay answers;
    None if no answer was right. spotted: the share of pictures of no class that would be called unknown; None where it
    can't be estimated."""

    threshold: float
    kept: float | None
    spotted: float | None


@dataclass(frozen=True)
class Known:
    """The pictures of known classes. features: float (n, features). classes: (n,). train, held_out: row numbers."""

    features: Features
    classes: Integers
    train: Integers
    held_out: Integers


def choose_threshold(confidence: npt.NDArray[Any], right: npt.NDArray[np.bool_]) -> float:
    """The largest threshold that at least KEPT of the right answers reach; 0 if no answer is right.

    confidence: the largest probability of each answer, (n,). Of fewer than 20 right answers all are kept.
    """
    of_right = np.sort(confidence[right])
    if not len(of_right):
        return 0.0
    least = float(of_right[math.floor((1 - KEPT) * len(of_right) + 1e-9)])
    return float(math.floor(least * 10**DECIMALS) / 10**DECIMALS)


def share_kept(confidence: npt.NDArray[Any], right: npt.NDArray[np.bool_], threshold: float) -> float | None:
    return float((confidence[right] >= threshold).mean()) if right.any() else None


def estimate_spotted(known: Known, seed: int) -> float | None:
    """The share of pictures of no class that the threshold would spot; None for fewer than LEAST_CLASSES classes.

    Each class in turn plays the stranger. A linear discriminant analysis learns the others from their training
    pictures, their held-out pictures give the threshold, and all pictures of the class are tried. The mean over the
    classes is returned. It stands in for retraining the model without the class, which would take too long.
    """
    known = _sample(known, np.random.default_rng(seed))
    labels = np.unique(known.classes[known.train])
    if len(labels) < LEAST_CLASSES or not len(known.held_out):
        return None
    known = Known(_reduced(known), known.classes, known.train, known.held_out)
    shares = [_share_below(known, int(label)) for label in labels[:LEFT_OUT]]
    found = [share for share in shares if share is not None]
    return float(np.mean(found)) if found else None


def _share_below(known: Known, label: int) -> float | None:
    """The share of this class's pictures below the threshold of a model that doesn't know it; None without a right
    answer to choose the threshold by."""
    features, classes = known.features, known.classes
    train, held_out = (rows[classes[rows] != label] for rows in (known.train, known.held_out))
    strangers = np.concatenate([rows[classes[rows] == label] for rows in (known.train, known.held_out)])
    labels, discriminant = _discriminant(features[train], classes[train])
    confidence, named = discriminant(features[held_out])
    right = labels[named] == classes[held_out]
    if not right.any():
        return None
    return float((discriminant(features[strangers])[0] < choose_threshold(confidence, right)).mean())


def _discriminant(features: Features, classes: Integers) -> tuple[Integers, Any]:
    """The labels, and a function from features to the largest probability and the position of its label."""
    labels, number = np.unique(classes, return_inverse=True)
    means = np.stack([features[number == position].mean(axis=0) for position in range(len(labels))])
    within = features - means[number]
    spread = within.T @ within / len(features)
    spread += np.eye(len(spread)) * (RIDGE * np.trace(spread) / len(spread) + np.finfo(np.float32).eps)
    kernel = np.linalg.solve(spread, means.T)
    bias = -np.einsum("cf,fc->c", means, kernel) / 2

    def discriminant(rows: Features) -> tuple[npt.NDArray[Any], Integers]:
        logits = rows @ kernel + bias
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return 1 / powers.sum(axis=1), logits.argmax(axis=1)

    return labels, discriminant


def _sample(known: Known, random: np.random.Generator) -> Known:
    """Some of the classes, in random order and numbered by it, and some of their pictures on each side."""
    order = random.permutation(np.unique(known.classes))[:MOST_CLASSES]
    number = np.full(int(known.classes.max(initial=0)) + 1, -1, dtype=np.int64)
    number[order] = np.arange(len(order))
    classes = number[known.classes]
    train, held_out = (
        random.permutation(rows[classes[rows] >= 0])[:MOST_PICTURES] for rows in (known.train, known.held_out)
    )
    return Known(known.features, classes, train, held_out)


def _reduced(known: Known) -> Features:
    """The features as COMPONENTS numbers, float64 (n, components); rows that take no part are zero."""
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits

    train = known.features[known.train]
    spread = train.std(axis=0) + 1e-3
    components = min(COMPONENTS, *train.shape)
    analysis = PCA(components, svd_solver="randomized", iterated_power=POWER_ITERATIONS, random_state=0)
    rows = np.concatenate([known.train, known.held_out])
    found = np.zeros((len(known.features), components))
    # One thread, as for the head's regression: threads of a busy machine wait for each other.
    with threadpool_limits(1), np.errstate(invalid="ignore"):  # features that are all alike have no variance
        analysis.fit(train / spread)
        found[rows] = analysis.transform(known.features[rows] / spread)
    return found
