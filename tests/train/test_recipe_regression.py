"""The regression that TFModel is compared with sees the last layer of the backbone alone, as people use it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from benchmarks import recipe_runs
from benchmarks.recipe_process import Run
from protocol.options import ClassificationOptions
from trainer_worker.backbones.efficientnet_lite import FEATURES, LITE0
from trainer_worker.classification.features import FeatureExtractor, PictureFeatures

EARLY = 5


class FakeExtractor:
    """Each feature of the last layer is 1, and each of an earlier layer is 2."""

    shapes = ((1, 1, 1), (FEATURES + EARLY,), (16, 16, 3))

    def of_files(self, reader: object, paths: Sequence[Path]) -> Iterator[PictureFeatures]:
        pooled = np.concatenate([np.ones(FEATURES, np.float32), np.full(EARLY, 2, np.float32)])
        for _ in paths:
            yield PictureFeatures(np.zeros((1, 1, 1)), pooled, np.zeros((16, 16, 3)))


def test_the_regression_does_not_see_earlier_layers(tmp_path: Path) -> None:
    recipe_runs.make_rehearsal(tmp_path)
    run = Run(tmp_path, ClassificationOptions(), 1, tmp_path)
    folders, features = recipe_runs._read_features(run, cast(FeatureExtractor, FakeExtractor()))
    assert features.shape == (len(folders.files), FEATURES)
    assert (features == 1).all()
    assert LITE0.build(64).output_shape[-1] == FEATURES
