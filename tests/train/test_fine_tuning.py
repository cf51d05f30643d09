"""What ends a fine-tuning, and what model it leaves."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocol.options import ClassificationOptions
from tests.project_folders import checkpoints_in
from trainer_worker.attempt.job import SilentReporter
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification.fine_tuning import (
    LEAST_STEPS,
    WARM_UP_STEPS,
    Classifier,
    Examples,
    History,
    build_classifier,
    fit,
    fit_head,
    planned_epochs,
    predict,
    rate_share,
)

SIZE = 64
ROWS = np.arange(48)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return build_classifier(LITE0, SIZE, 2)


@pytest.fixture(scope="module")
def examples(classifier: Classifier) -> Examples:
    random = np.random.default_rng(0)
    maps = random.normal(size=(len(ROWS), *classifier.tail.input_shape[1:])).astype(np.float32)
    return Examples((maps,), classifier.pool.predict(maps, verbose=0), ROWS % 2)


def train(
    classifier: Classifier, examples: Examples, folder: Path, end_by_s: float = math.inf, **options: Any
) -> History:
    given = ClassificationOptions(image_size=SIZE, **options)
    return fit(classifier, examples, ROWS, given, SilentReporter(), checkpoints_in(folder), end_by_s)


@pytest.mark.parametrize("ending", ["no time", "few steps", "enough steps"])
def test_too_few_steps_leave_the_regression(
    classifier: Classifier, examples: Examples, tmp_path: Path, ending: str
) -> None:
    """The last case is the control."""
    pretrained = classifier.tail.get_weights()
    fit_head(classifier, examples.pooled, examples.classes)
    regression = predict(classifier, examples.views[0])
    classifier.tail.set_weights(pretrained)

    if ending == "no time":
        history = train(classifier, examples, tmp_path, end_by_s=time.monotonic())
        assert (history.end_reason, history.steps) == ("budget", 0)
    elif ending == "few steps":
        history = train(classifier, examples, tmp_path, epochs=2, batch_size=24)
        assert (history.end_reason, history.steps) == ("epochs", 4)
    else:
        history = train(classifier, examples, tmp_path, epochs=1, batch_size=4)
        assert (history.end_reason, history.steps) == ("epochs", 12)

    left = predict(classifier, examples.views[0])
    classifier.tail.set_weights(pretrained)
    assert np.allclose(left, regression, atol=1e-6) == (history.steps < LEAST_STEPS)


def test_few_images_are_passed_over_more_often() -> None:
    options = ClassificationOptions()
    assert [planned_epochs(images, options) for images in (4, 48, 80, 160, 2000)] == [20, 15, 10, 6, 6]
    assert planned_epochs(4, ClassificationOptions(epochs=3)) == 3


def test_the_rate_rises_and_falls_to_nothing_by_the_end() -> None:
    assert rate_share(0, 0.0) == pytest.approx(1 / WARM_UP_STEPS)
    assert rate_share(WARM_UP_STEPS, 0.0) == 1.0
    assert rate_share(WARM_UP_STEPS, 0.5) == pytest.approx(0.5)
    assert rate_share(WARM_UP_STEPS, 1.0) == rate_share(WARM_UP_STEPS, 1.2) == 0.0
