"""The predictions that a classifier's score comes from, and the cross-validation that makes them for small sets.

A fifth of a small set scores nothing well: of a class of 12 pictures, two. There the score comes from several models.
Each of them is trained like the published one, on the pictures of all folds but one, and predicts that fold. The folds'
predictions together score every picture once (Stone 1974, "Cross-Validatory Choice and Assessment of Statistical
Predictions").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer_worker.attempt.attempt import Attempt
from trainer_worker.classification.classifier import Classifier, predict
from trainer_worker.classification.dataset import Dataset, LabelledFeatures
from trainer_worker.classification.fine_tuning import fit
from trainer_worker.pictures.splits import Split


@dataclass(frozen=True)
class Evaluation:
    """Predictions for pictures by models that did not train on them.

    rows: row numbers of the dataset, int64 (n,), sorted by fold, then row. probabilities: float32 (n, labels). They are
    uncalibrated until measure_confidence replaces them. folds: int64 (n,): 0 for the held-out pictures of the published
    model, 1 and more for those of the other models of a cross-validation.
    """

    rows: np.ndarray
    probabilities: np.ndarray
    folds: np.ndarray

    @property
    def held_out(self) -> np.ndarray:
        """The predictions of the published model for its held-out pictures, float32 (n, labels)."""
        found: np.ndarray = self.probabilities[self.folds == 0]
        return found

    @property
    def models(self) -> int:
        """How many models have made the predictions; 1 without a cross-validation."""
        return int(self.folds.max(initial=0)) + 1


def evaluate(classifier: Classifier, data: Dataset, split: Split) -> Evaluation:
    """The predictions of a trained classifier for its held-out pictures."""
    rows = split.held_out
    return Evaluation(rows, predict(classifier, data.plain.of(rows)), np.zeros(len(rows), dtype=np.int64))


@dataclass(frozen=True)
class CrossValidation:
    """The other folds of a classifier's evaluation.

    untrained: the classifier's weights before the training. features: what the published model was trained on.
    folds: for each row the number of its fold, see splits.folds_of. trained: the rows that may train, int64 (n,).
    """

    untrained: list[np.ndarray]
    features: LabelledFeatures
    folds: np.ndarray
    trained: np.ndarray

    def run(self, first: Evaluation, classifier: Classifier, data: Dataset, attempt: Attempt) -> Evaluation:
        """Train one model for each fold but the first, and add its predictions to those of the classifier, `first`.

        The classifier has its own weights again afterwards. Where the caller has a time budget or has asked to stop,
        the models are the head's regression alone. They score a little lower.
        """
        published = classifier.get_weights()
        parts = [first]
        models = int(self.folds.max())
        end_by_s = 0.0 if attempt.budget.is_limited else np.inf
        for fold in range(1, models + 1):
            scored = np.flatnonzero(self.folds == fold)
            if not len(scored):
                continue
            classifier.set_weights(self.untrained)
            part = attempt.part(f"fold{fold}", (fold - 1) / models, fold / models)
            fit(classifier, self.features, self.trained[self.folds[self.trained] != fold], part, end_by_s)
            found = predict(classifier, data.plain.of(scored))
            parts.append(Evaluation(scored, found, np.full(len(scored), fold, dtype=np.int64)))
        classifier.set_weights(published)
        return Evaluation(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.probabilities for part in parts]),
            np.concatenate([part.folds for part in parts]),
        )
