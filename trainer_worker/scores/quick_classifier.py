"""A classifier that predicts each of thousands of pictures without having seen it, in a fraction of a second.

It is a kernel ridge regression on the pooled features of the backbone. One inverse of its matrix gives the predictions
for every fold by a model without that fold, exactly, so nothing is fitted fold by fold (Rifkin and Lippert 2007, "Notes
on Regularized Least Squares"). Every class counts alike, however many pictures it has. Its accuracy is nearly that of a
fine-tuned model, and its errors fall nearly as quickly with more pictures (docs/choices.md, "A quick classifier for
questions about the pictures").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg.lapack import spotrf, spotri
from scipy.spatial.distance import pdist
from sklearn.utils.extmath import randomized_svd

COMPONENTS = 256
#: The principal components are found from this many pictures at most.
COMPONENTS_FROM = 4000
#: The ridge of a picture of an average class, and the least one, which keeps the matrix invertible.
RIDGE, LEAST_RIDGE = 0.2, 0.02
#: The kernel falls to 1/e at the distance that is usual between two of this many pictures.
DISTANCE_FROM = 300
#: Pictures at a smaller squared distance are the same one, but for rounding.
SAME_BELOW = 1e-3

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """n pictures that questions are asked about.

    features: float32 (n, components), see `reduced`. classes: int64 (n,). labels: how many classes there are.
    folds: int64 (n,), the fold that each picture is scored in; -1 for one that trains in all folds and never scores.
    groups: int64 (n,), which pictures belong together; a group is in one fold.
    """

    features: Floats
    classes: Rows
    labels: int
    folds: Rows
    groups: Rows

    def only(self, rows: Rows) -> Sample:
        """These pictures alone. The numbers of the classes stay."""
        return Sample(self.features[rows], self.classes[rows], self.labels, self.folds[rows], self.groups[rows])


def reduced(pooled: Floats) -> Floats:
    """Pooled features float32 (n, features), standardised and reduced to at most COMPONENTS columns."""
    n = len(pooled)
    some = pooled[np.linspace(0, n - 1, min(n, COMPONENTS_FROM)).astype(int)]
    mean, spread = some.mean(axis=0), some.std(axis=0) + np.float32(1e-3)
    _, _, axes = randomized_svd((some - mean) / spread, min(COMPONENTS, *some.shape), n_iter=2, random_state=0)
    turned = axes.T / spread[:, None]
    found: Floats = (pooled @ turned - mean @ turned).astype(np.float32)
    return found


def out_of_fold(sample: Sample) -> Floats:
    """Each picture's scores by the model that was fitted to the pictures of all other folds: float32 (n, labels).

    The largest score of a row is the class that the model names. Rows without a fold are 0.
    """
    classes, counts = sample.classes, np.bincount(sample.classes)
    ridge = np.maximum(RIDGE * counts[classes] * np.count_nonzero(counts) / len(classes), LEAST_RIDGE)
    kernel = _kernel(sample.features)
    kernel[np.diag_indices_from(kernel)] += ridge.astype(np.float32)
    inverse = _inverse(kernel)
    wanted = np.where(np.arange(sample.labels) == classes[:, None], np.float32(1), np.float32(-1))
    weights = inverse @ wanted
    scores = np.zeros_like(wanted)
    for fold in np.unique(sample.folds[sample.folds >= 0]).tolist():
        rows = np.flatnonzero(sample.folds == fold)
        scores[rows] = wanted[rows] - np.linalg.solve(inverse[np.ix_(rows, rows)], weights[rows])
    return scores


def _kernel(features: Floats) -> Floats:
    """The Gaussian kernel of all pairs of pictures: float32 (n, n)."""
    some = features[np.linspace(0, len(features) - 1, min(len(features), DISTANCE_FROM)).astype(int)]
    distances = pdist(some, "sqeuclidean")
    different = distances[distances > SAME_BELOW]  # else many copies of one picture would make all others strangers
    usual = float(np.median(different)) if len(different) else 1.0
    norms = (features**2).sum(axis=1)
    kernel = features @ features.T
    kernel *= 2
    kernel -= norms
    kernel -= norms[:, None]
    np.minimum(kernel, 0, out=kernel)
    kernel /= np.float32(usual)
    np.exp(kernel, out=kernel)
    return kernel


def _inverse(matrix: Floats) -> Floats:
    """The inverse of a positive definite float32 matrix (n, n), which is overwritten. By Cholesky's decomposition."""
    factor, failed = spotrf(matrix.T, lower=1, clean=0, overwrite_a=1)
    if failed:
        raise np.linalg.LinAlgError(f"the kernel's matrix is not positive definite at row {failed}")
    inverse, _ = spotri(factor, lower=1, overwrite_c=1)
    lower = np.tril(inverse)
    found: Floats = lower + np.tril(lower, -1).T
    return found
