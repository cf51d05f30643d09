"""Fits a classifier's heads, which are logistic regressions on pooled features."""

from __future__ import annotations

import numpy as np

from trainer_worker.classification.classifier import Classifier
from trainer_worker.classification.dataset import LabelledFeatures
from trainer_worker.classification.regression import regression

#: Inverse strength of the logistic regression's L2 penalty, on standardised features (docs/choices.md, "Strength of the
#: head's penalty").
HEAD_C = 1e-2
#: The same for a head that is then fine-tuned together with the blocks. A less confident head lets the blocks learn
#: more (docs/choices.md, "Strength of the head's penalty").
START_C = 1e-3
#: The logits of the early head count this much beside those of the fine-tuned head (docs/choices.md, "Features of
#: earlier layers").
EARLY_SHARE = 0.5


def fit_head(classifier: Classifier, features: LabelledFeatures, rows: np.ndarray) -> None:
    """Make the classifier a logistic regression on all pooled features of these rows, in all their views."""
    pooled, classes = features.pooled_views(rows)
    kernel, bias = regression(pooled, classes, classifier.labels, HEAD_C)
    last = classifier.last_features
    classifier.head.set_weights([kernel[:last], bias])
    if classifier.early_head:
        classifier.early_head.set_weights([kernel[last:], np.zeros_like(bias)])


def start_head(classifier: Classifier, features: LabelledFeatures, rows: np.ndarray) -> None:
    """Make the head a logistic regression on the last layer's features alone, for fine-tuning to start from."""
    pooled = features.views[0].pooled[rows, : classifier.last_features]
    classifier.head.set_weights(list(regression(pooled, features.classes[rows], classifier.labels, START_C)))


def fit_early_head(classifier: Classifier, features: LabelledFeatures, rows: np.ndarray) -> None:
    """Make the early head, if there is one, a logistic regression whose logits count EARLY_SHARE."""
    if not classifier.early_head:
        return
    pooled, classes = features.pooled_views(rows)
    weights = regression(pooled[:, classifier.last_features :], classes, classifier.labels, HEAD_C)
    classifier.early_head.set_weights([EARLY_SHARE * array for array in weights])
