"""The early head sees what the last layer of the backbone no longer tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from protocol.options import ClassificationOptions
from tests.project_folders import attempt_in
from tests.train.scan_views import view_of_scans
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification.classifier import Classifier, build_classifier, predict
from trainer_worker.classification.dataset import FeatureView, LabelledFeatures
from trainer_worker.classification.fine_tuning import fit
from trainer_worker.classification.heads import fit_early_head, fit_head

SIZE = 64
TRAINED, SCORED = 5, 25
#: How much more accurate a classifier with the early head has to be.
LEAD = 0.05


@dataclass(frozen=True)
class Digits:
    """Ten digits: TRAINED training pictures of each, and SCORED others."""

    classifier: Classifier
    pretrained: list[np.ndarray]
    features: LabelledFeatures
    train: np.ndarray
    scored: np.ndarray

    def with_early(self, early: str, shuffled: bool) -> LabelledFeatures:
        """early: "own", or "none" for zeros. shuffled: whether the pictures have those of each other."""
        plain = self.features.views[0]
        pooled, last = plain.pooled.copy(), self.classifier.last_features
        if early == "none":
            pooled[:, last:] = 0
        elif shuffled:
            pooled[:, last:] = pooled[np.random.default_rng(0).permutation(len(pooled)), last:]
        return LabelledFeatures((FeatureView(plain.maps, pooled),), self.features.classes)

    def accuracy(self, early: str, shuffled: bool) -> float:
        """Of the classifier as it is, on the scored pictures."""
        view = self.with_early(early, shuffled).views[0].of(self.scored)
        found = predict(self.classifier, view).argmax(axis=1)
        return float((found == self.features.classes[self.scored]).mean())


@pytest.fixture(scope="module")
def digits() -> Digits:
    scans = load_digits()
    rows = np.concatenate([np.flatnonzero(scans.target == digit)[: TRAINED + SCORED] for digit in range(10)])
    classifier = build_classifier(LITE0, SIZE, 10)
    features = LabelledFeatures((view_of_scans(classifier, scans.images[rows]),), scans.target[rows])
    is_trained = np.tile(np.arange(TRAINED + SCORED) < TRAINED, 10)
    train, scored = np.flatnonzero(is_trained), np.flatnonzero(~is_trained)
    return Digits(classifier, classifier.get_weights(), features, train, scored)


@pytest.mark.parametrize("shuffled", [False, True])
def test_features_of_earlier_layers_make_a_regression_right_more_often(digits: Digits, shuffled: bool) -> None:
    """With the features of other pictures, which are the control, it isn't."""
    accuracies = []
    for early in ("own", "none"):
        digits.classifier.set_weights(digits.pretrained)
        fit_head(digits.classifier, digits.with_early(early, shuffled), digits.train)
        accuracies.append(digits.accuracy(early, shuffled))
    assert (accuracies[0] >= accuracies[1] + LEAD) != shuffled


def test_fine_tuning_leaves_the_early_head_its_own_regression(digits: Digits, tmp_path: Path) -> None:
    digits.classifier.set_weights(digits.pretrained)
    options = ClassificationOptions(image_size=SIZE, epochs=1, batch_size=4)
    fit(digits.classifier, digits.features, digits.train, attempt_in(tmp_path, options))
    found = [weights.copy() for weights in digits.classifier.logits[1].get_weights()]
    fit_early_head(digits.classifier, digits.features, digits.train)
    assert all(map(np.array_equal, found, digits.classifier.logits[1].get_weights()))
    assert np.abs(found[0]).max() > 0
