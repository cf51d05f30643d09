"""A class with few pictures: it must be found, and not at the cost of all others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from protocol.options import ClassificationOptions
from tests.project_folders import attempt_in
from tests.train.scan_views import view_of_scans
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification import regression
from trainer_worker.classification.classifier import Classifier, build_classifier, predict
from trainer_worker.classification.dataset import LabelledFeatures
from trainer_worker.classification.fine_tuning import fit
from trainer_worker.classification.heads import EARLY_SHARE, fit_head, start_head
from trainer_worker.classification.regression import ADJUSTMENT, image_weights, logit_adjustment

SIZE = 64
#: Digits that look alike; of the first, 5 % of the training pictures.
DIGITS, TRAINED, SCORED = (3, 5, 8, 9), (18, 114, 114, 114), 40
#: Recall of the first digit by the head and after one epoch, and mean recall of the others.
SMALL_RECALL, TUNED_RECALL, OTHER_RECALL = 0.6, 0.8, 0.85
#: Steps in bfloat16 from nearly equal gradients may differ by this share of a kernel.
ROUNDED = 0.03
#: Pictures of the first digit where the class is so small that balance alone does not help it, and how far its recall
#: may then lie below the mean of the others.
FEWEST, MOST_BELOW = 6, 0.1


@dataclass(frozen=True)
class Uneven:
    classifier: Classifier
    pretrained: list[np.ndarray]
    features: LabelledFeatures
    train: np.ndarray
    scored: np.ndarray

    def recalls(self) -> np.ndarray:
        """Share of the scored pictures of each class that are classified correctly, float (4,)."""
        predicted = predict(self.classifier, self.features.views[0].of(self.scored)).argmax(axis=1)
        truth = self.features.classes[self.scored]
        return np.array([(predicted[truth == label] == label).mean() for label in range(len(DIGITS))])


@pytest.fixture(scope="module")
def uneven() -> Uneven:
    digits, draw = load_digits(), np.random.default_rng(2)
    rows: list[int] = []
    train: list[int] = []
    scored: list[int] = []
    classes: list[int] = []
    for label, (digit, trained) in enumerate(zip(DIGITS, TRAINED, strict=True)):
        # Drawn, since the scans lie in the order of their writers.
        of_digit = draw.permutation(np.flatnonzero(digits.target == digit))[: trained + SCORED]
        train += [len(rows) + number for number in range(trained)]
        scored += [len(rows) + number for number in range(trained, trained + SCORED)]
        rows += of_digit.tolist()
        classes += [label] * len(of_digit)
    classifier = build_classifier(LITE0, SIZE, len(DIGITS))
    features = LabelledFeatures((view_of_scans(classifier, digits.images[rows]),), np.array(classes))
    return Uneven(classifier, classifier.get_weights(), features, np.array(train), np.array(scored))


@pytest.fixture(params=["weighted", "control"])
def weighted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both ways, and without the adjustment: the control, without weights, shows that the bound below is no gift."""
    monkeypatch.setattr(regression, "ADJUSTMENT", 0.0)
    if request.param == "control":
        monkeypatch.setattr(regression, "BALANCE", 0.0)
    return bool(request.param == "weighted")


def test_weights_make_classes_count_alike() -> None:
    classes = np.array([0] * 90 + [2] * 10)
    weights = image_weights(classes)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[:90].sum() == pytest.approx(weights[90:].sum())
    assert image_weights(np.arange(4)).tolist() == [1.0] * 4


def test_logits_of_small_classes_are_raised_within_bounds() -> None:
    sizes = [1000, 100, 0, 1]
    adjustment = logit_adjustment(np.repeat(np.arange(4), sizes), 4)
    most = math.log(1 + 4 * 0.9 / 0.1) / 2  # half the lead of the right class when the smoothed loss is smallest
    assert adjustment == pytest.approx([0.0, ADJUSTMENT * math.log(10), 0.0, most])
    assert logit_adjustment(np.repeat(np.arange(3), 5), 3).tolist() == [0.0] * 3


@pytest.mark.parametrize("adjusted", [True, False])
def test_the_head_finds_a_class_of_very_few_pictures(
    uneven: Uneven, adjusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not adjusted:  # the control
        monkeypatch.setattr(regression, "ADJUSTMENT", 0.0)
    train = uneven.train[TRAINED[0] - FEWEST :]
    uneven.classifier.set_weights(uneven.pretrained)
    fit_head(uneven.classifier, uneven.features, train)
    recalls = uneven.recalls()
    assert (recalls[0] >= recalls[1:].mean() - MOST_BELOW) == adjusted
    assert recalls[1:].mean() >= OTHER_RECALL


@pytest.mark.slow
def test_fine_tuning_keeps_the_adjustment(uneven: Uneven, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The adjusted model is the other one with raised logits: all else that it has learned is the same."""
    options = ClassificationOptions(image_size=SIZE, epochs=1)
    weights = []
    for share in (0.0, ADJUSTMENT):
        monkeypatch.setattr(regression, "ADJUSTMENT", share)
        uneven.classifier.set_weights(uneven.pretrained)
        fit(uneven.classifier, uneven.features, uneven.train, attempt_in(tmp_path / str(share), options))
        weights.append(uneven.classifier.get_weights())
    *plain, offset, early_kernel, early_offset = weights[0]
    *adjusted, raised, early_adjusted, early_raised = weights[1]
    expected = logit_adjustment(uneven.features.classes[uneven.train], len(DIGITS))
    assert raised - offset == pytest.approx(expected, abs=1e-2)
    assert early_raised - early_offset == pytest.approx(EARLY_SHARE * expected, abs=1e-5)
    assert np.array_equal(early_kernel, early_adjusted)
    for one, other in zip(plain, adjusted, strict=True):
        assert np.linalg.norm(one - other) < ROUNDED * np.linalg.norm(one)


def test_the_head_finds_a_small_class(uneven: Uneven, weighted: bool) -> None:
    uneven.classifier.set_weights(uneven.pretrained)
    start_head(uneven.classifier, uneven.features, uneven.train)
    recalls = uneven.recalls()
    assert (recalls[0] >= SMALL_RECALL) == weighted
    assert recalls[1:].mean() >= OTHER_RECALL


@pytest.mark.slow
def test_fine_tuning_finds_a_small_class(uneven: Uneven, weighted: bool, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    uneven.classifier.set_weights(uneven.pretrained)
    options = ClassificationOptions(image_size=SIZE, epochs=1)
    fit(uneven.classifier, uneven.features, uneven.train, attempt_in(tmp_path, options))
    recalls = uneven.recalls()
    assert (recalls[0] >= TUNED_RECALL) == weighted
    assert recalls[1:].mean() >= OTHER_RECALL
