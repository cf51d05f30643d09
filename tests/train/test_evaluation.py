"""Cross-validation on drawn features: no model predicts what it trained on, and the published one stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocol.options import ClassificationOptions
from tests.project_folders import attempt_in
from tests.sample_tasks import make_spec
from tests.train.random_views import random_view
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification import evaluation
from trainer_worker.classification.classifier import Classifier, build_classifier, predict
from trainer_worker.classification.dataset import FeatureView, LabelledFeatures
from trainer_worker.classification.evaluation import CrossValidation, Evaluation
from trainer_worker.classification.fine_tuning import fit
from trainer_worker.classification.folders import PART_NUMBERS, ClassFolders
from trainer_worker.classification.plan import ClassifierPlan
from trainer_worker.classification.splitting import folds_needed
from trainer_worker.layouts.layout import Part
from trainer_worker.optimization.epochs import History
from trainer_worker.pictures.images import PictureReader
from trainer_worker.pictures.user_files import UserFiles
from web.forecast.eta import UNKNOWN, plan_s

SIZE, PICTURES, FOLDS = 64, 60, 4


def folders(counts: list[int], parts: Sequence[Part] = (Part.ANY,)) -> ClassFolders:
    """So many pictures of each class; the parts of a split take turns."""
    total = sum(counts)
    numbers = np.resize([PART_NUMBERS[part] for part in parts], total)
    files = tuple(Path(f"{row}.jpg") for row in range(total))
    labels = tuple(map(str, range(len(counts))))
    reader = PictureReader(UserFiles.at(Path()))
    return ClassFolders(labels, files, np.repeat(np.arange(len(counts)), counts), numbers, reader)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return build_classifier(LITE0, SIZE, 2)


class Plain:
    """As much of a Dataset as an evaluation looks at."""

    def __init__(self, plain: FeatureView) -> None:
        self.plain = plain


@pytest.mark.parametrize("budget_s", [0, 60])
def test_no_model_predicts_what_it_trained_on(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget_s: int
) -> None:
    classes, rows, folds = np.tile([0, 1], PICTURES // 2), np.arange(PICTURES), np.arange(PICTURES) // 2 % FOLDS
    folds[:2] = -1  # these train, and never score
    plain = random_view(classifier, PICTURES, np.random.default_rng(0))
    features = LabelledFeatures((plain,), classes)
    untrained, trained_on = classifier.get_weights(), []
    options = ClassificationOptions(image_size=SIZE, time_budget=budget_s)

    def recorded_fit(classifier: Classifier, features: LabelledFeatures, rows: np.ndarray, *rest: Any) -> History:
        assert all(map(np.array_equal, untrained, classifier.get_weights())), "it begins with what another learned"
        trained_on.append(rows.tolist())
        return fit(classifier, features, rows, *rest)

    attempt = attempt_in(tmp_path, options)
    fit(classifier, features, rows[folds != 0], attempt)
    scored = rows[folds == 0]
    first = Evaluation(scored, predict(classifier, plain.of(scored)), np.zeros(len(scored), np.int64))
    published = classifier.get_weights()
    monkeypatch.setattr(evaluation, "fit", recorded_fit)
    found = CrossValidation(untrained, features, folds, rows).run(first, classifier, Plain(plain), attempt)  # type: ignore[arg-type]

    assert trained_on == [rows[folds != fold].tolist() for fold in range(1, FOLDS)]
    assert found.models == FOLDS
    assert sorted(found.rows.tolist()) == rows[folds >= 0].tolist()
    assert (np.diff(found.folds) >= 0).all()
    assert np.array_equal(found.folds, folds[found.rows])
    assert np.array_equal(found.held_out, first.probabilities)
    assert all(map(np.array_equal, published, classifier.get_weights()))
    classifier.set_weights(untrained)


@pytest.mark.parametrize(
    ("counts", "share", "folds"),
    [
        ([100, 100], 0.2, 1),
        ([100, 99], 0.2, 5),  # fewer than 200 pictures
        ([300, 250, 200, 24], 0.2, 5),  # a small class
        ([300, 250, 200, 25], 0.2, 1),
        ([300, 250, 200, 12], 0.25, 4),
        ([50, 50], 0.5, 3),
        ([50, 50], 0.05, 5),
        ([900, 89, 12], 0.2, 1),  # folds of so many pictures would take minutes
        ([30, 0, 30], 0.2, 5),
    ],
)
def test_folds_are_made_where_held_out_pictures_say_little(counts: list[int], share: float, folds: int) -> None:
    assert folds_needed(folders(counts), share) == folds


def test_a_split_of_the_callers_own_needs_no_folds() -> None:
    assert folds_needed(folders([30, 30], parts=[Part.TRAIN, Part.TRAIN, Part.TEST]), 0.2) == 1


@pytest.mark.parametrize("pictures", [20, 60, 190, 210, 1100])
def test_the_forecast_before_the_start_is_near_the_plan_of_the_training(pictures: int) -> None:
    options = ClassificationOptions()
    count = folds_needed(folders([pictures // 2, pictures // 2]), options.validation_split)
    forecast_s = plan_s(make_spec("t"), pictures)
    low, _, high = UNKNOWN
    assert low * forecast_s < ClassifierPlan(pictures, options, LITE0, count).total_s < high * forecast_s
