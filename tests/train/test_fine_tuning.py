"""What ends a fine-tuning, and what model it leaves."""

from __future__ import annotations

import dataclasses
import math
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocol.options import ClassificationOptions
from tests.project_folders import attempt_in
from tests.train.random_views import random_view
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification import fine_tuning
from trainer_worker.classification.classifier import Classifier, build_classifier, predict
from trainer_worker.classification.dataset import LabelledFeatures
from trainer_worker.classification.fine_tuning import LEAST_STEPS, WARM_UP_STEPS, fit, planned_epochs
from trainer_worker.classification.heads import fit_head, start_head
from trainer_worker.classification.preparing import prepared_classifier
from trainer_worker.classification.trainee import kept_trainee
from trainer_worker.optimization.epochs import History
from trainer_worker.optimization.learning_rate import RateSchedule
from trainer_worker.optimization.muon import Muon
from trainer_worker.optimization.repeatability import make_repeatable

SIZE = 64
ROWS = np.arange(48)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return build_classifier(LITE0, SIZE, 2)


@pytest.fixture(scope="module")
def features(classifier: Classifier) -> LabelledFeatures:
    random = np.random.default_rng(0)
    return LabelledFeatures((random_view(classifier, len(ROWS), random),), ROWS % 2)


def train(
    classifier: Classifier, features: LabelledFeatures, folder: Path, end_by_s: float = math.inf, **options: Any
) -> History:
    given = ClassificationOptions(image_size=SIZE, **options)
    return fit(classifier, features, ROWS, attempt_in(folder, given), end_by_s)


def test_a_head_that_is_trained_alone_is_fitted_once(
    classifier: Classifier, features: LabelledFeatures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no time to fine-tune the other classifier, which is the control."""
    alone = build_classifier(dataclasses.replace(LITE0, trunk_end=None), SIZE, 2)
    fitted: list[str] = []
    monkeypatch.setattr(fine_tuning, "start_head", lambda *_: fitted.append("start"))
    monkeypatch.setattr(fine_tuning, "fit_head", lambda *_: fitted.append("regression"))
    train(alone, LabelledFeatures((random_view(alone, len(ROWS), np.random.default_rng(0)),), ROWS % 2), tmp_path)
    assert fitted == ["regression"]
    train(classifier, features, tmp_path, time.monotonic())
    assert fitted == ["regression", "start", "regression"]


@pytest.mark.parametrize("ending", ["no time", "few steps", "enough steps"])
def test_too_few_steps_leave_the_regression(
    classifier: Classifier, features: LabelledFeatures, tmp_path: Path, ending: str
) -> None:
    """The last case is the control."""
    pretrained = classifier.get_weights()
    fit_head(classifier, features, ROWS)
    regression = predict(classifier, features.views[0])
    classifier.set_weights(pretrained)

    if ending == "no time":
        history = train(classifier, features, tmp_path, end_by_s=time.monotonic())
        assert (history.end_reason, history.steps) == ("budget", 0)
    elif ending == "few steps":
        history = train(classifier, features, tmp_path, epochs=2, batch_size=24)
        assert (history.end_reason, history.steps) == ("epochs", 4)
    else:
        history = train(classifier, features, tmp_path, epochs=1, batch_size=4)
        assert (history.end_reason, history.steps) == ("epochs", 12)

    left = predict(classifier, features.views[0])
    classifier.set_weights(pretrained)
    assert np.allclose(left, regression, atol=1e-6) == (history.steps < LEAST_STEPS)


def test_a_prepared_classifier_learns_the_same_and_compiles_nothing_any_more(
    features: LabelledFeatures, tmp_path: Path
) -> None:
    interval_s = sys.getswitchinterval()
    outputs = []
    for is_prepared in (True, False):  # the second one is the control
        kept_trainee.cache_clear()
        make_repeatable(1)
        if is_prepared:
            with prepared_classifier(LITE0, SIZE, 2) as classifier_for:
                classifier = classifier_for(2)
        else:
            classifier = build_classifier(LITE0, SIZE, 2)
        assert kept_trainee.cache_info().currsize == is_prepared
        assert classifier.run.experimental_get_tracing_count() == is_prepared
        train(classifier, features, tmp_path / str(is_prepared), epochs=1, batch_size=4)
        outputs.append(predict(classifier, features.views[0]))
        compiled = [classifier.trainee.step, classifier.run]
        assert [function.experimental_get_tracing_count() for function in compiled] == [1, 1]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert sys.getswitchinterval() == interval_s
    assert not any(thread.name.startswith("prepare") for thread in threading.enumerate())


@pytest.mark.parametrize("forgets", [True, False])
def test_a_kept_trainee_learns_as_a_new_one_after_other_tasks(
    features: LabelledFeatures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgets: bool
) -> None:
    """The control is an optimizer that goes on with the momenta of the task before."""
    outputs = []
    for earlier_labels in ([], [2, 4]):
        kept_trainee.cache_clear()
        for labels in earlier_labels:
            another = LabelledFeatures(features.views, ROWS % labels)
            train(build_classifier(LITE0, SIZE, labels), another, tmp_path / f"of {labels}", epochs=1, batch_size=4)
        if not forgets:
            monkeypatch.setattr(Muon, "begin", lambda optimizer: optimizer._adam.begin())
        classifier = build_classifier(LITE0, SIZE, 3)
        of_three = LabelledFeatures(features.views, ROWS % 3)
        train(classifier, of_three, tmp_path / f"after {len(earlier_labels)}", epochs=1, batch_size=4)
        assert classifier.trainee.step.experimental_get_tracing_count() == 1
        outputs.append(predict(classifier, features.views[0]))
    assert np.array_equal(outputs[0], outputs[1]) == forgets


def test_convolutions_learn_by_muon_depthwise_ones_not_at_all_and_all_else_by_adam(
    classifier: Classifier, features: LabelledFeatures
) -> None:
    """Muon holds the norm of a kernel, and Adam does not."""
    start_head(classifier, features, ROWS)
    trainee = classifier.trainee
    trainee.begin(classifier.tail, np.zeros(2, np.float32))
    trainee.optimizer.learning_rate.assign(1.0)
    before = [np.asarray(weight) for weight in trainee.network.weights]
    ones = np.ones((len(ROWS), classifier.last_features), np.float32)
    trainee.step(features.views[0].maps, np.eye(2, dtype=np.float32)[features.classes], ones)
    as_they_were, of_the_same_norm = set(), set()
    for weight, old in zip(trainee.network.weights, before, strict=True):
        new, name = np.asarray(weight), "/".join(weight.path.split("/")[-2:])
        if np.array_equal(new, old):
            as_they_were.add(name)
        elif math.isclose(np.linalg.norm(new), np.linalg.norm(old), rel_tol=1e-5):
            of_the_same_norm.add(name)
    kernels = {layer.name: f"{layer.name}/kernel" for layer in trainee.network.layers if layer.weights}
    assert as_they_were == {kernels[name] for name in kernels if name.endswith("_depthwise")} != set()
    assert (
        of_the_same_norm
        == {kernels[name] for name in kernels if name.endswith(("_expand", "_project", "head"))}
        != set()
    )


def test_a_class_that_turns_out_to_be_unreadable_is_left_out_of_a_prepared_classifier() -> None:
    with prepared_classifier(LITE0, SIZE, 3) as classifier_for:
        assert classifier_for(2).labels == 2


def test_few_images_train_for_more_epochs() -> None:
    options = ClassificationOptions()
    assert [planned_epochs(images, options) for images in (4, 48, 80, 160, 2000)] == [20, 15, 10, 6, 6]
    assert planned_epochs(4, ClassificationOptions(epochs=3)) == 3


def test_the_rate_rises_and_falls_to_nothing_by_the_end() -> None:
    rate = RateSchedule(peak=1.0, steps=10**6, warm_up_steps=WARM_UP_STEPS)
    assert rate.at(0) == pytest.approx(1 / WARM_UP_STEPS)
    assert rate.at(WARM_UP_STEPS) == pytest.approx(1.0)
    assert rate.at(rate.steps // 2) == rate.at(WARM_UP_STEPS, time_spent=0.5) == pytest.approx(0.5)
    assert rate.at(rate.steps) == rate.at(WARM_UP_STEPS, time_spent=1.2) == 0.0
