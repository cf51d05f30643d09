"""Features of grey scans, computed by a classifier's own network."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np
from PIL import Image

from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification.classifier import Classifier
from trainer_worker.classification.dataset import FeatureView


def view_of_scans(classifier: Classifier, scans: Iterable[np.ndarray]) -> FeatureView:
    """The view of scikit-learn's scans of digits, float (8, 8) from 0 to 16, by a classifier on lite0."""
    side_px = classifier.model.input_shape[1]
    grey = [np.asarray(Image.fromarray((scan * 15).astype(np.uint8)).resize((side_px, side_px))) for scan in scans]
    outputs = [classifier.model.get_layer(name).output for name in (LITE0.trunk_end, "pool", "early")]
    pictures = np.repeat(np.stack(grey)[..., None], 3, axis=-1).astype(np.float32)
    maps, *pooled = keras.Model(classifier.model.input, outputs).predict(pictures, verbose=0)
    return FeatureView(maps, np.concatenate(pooled, axis=1))
