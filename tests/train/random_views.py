"""Features of no pictures at all, for tests of what follows the feature stage."""

from __future__ import annotations

import numpy as np

from trainer_worker.classification.classifier import Classifier
from trainer_worker.classification.dataset import FeatureView


def random_view(classifier: Classifier, pictures: int, random: np.random.Generator) -> FeatureView:
    """Random trunk maps and features of earlier layers; those of the last layer are the backbone's own."""
    maps = random.normal(size=(pictures, *classifier.tail.input_shape[1:])).astype(np.float32)
    last = classifier.pool.predict(maps, verbose=0)
    early = random.normal(size=(pictures, classifier.early_features)).astype(np.float32)
    return FeatureView(maps, np.concatenate([last, early], axis=1))
