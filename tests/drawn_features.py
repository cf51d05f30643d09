"""Features of pictures as a backbone may give them, drawn: one cloud of points for each class."""

from __future__ import annotations

import numpy as np

from trainer_worker.scores.quick_classifier import Sample

COLUMNS = 24
FOLDS = 5


def drawn_sample(counts: list[int], apart: float, seed: int = 0) -> Sample:
    """So many pictures of each class, each in a group of its own. apart: how far the classes lie apart."""
    random = np.random.default_rng(seed)
    classes = np.repeat(np.arange(len(counts)), counts)
    centres = random.normal(size=(len(counts), COLUMNS)) * apart
    features = (centres[classes] + random.normal(size=(len(classes), COLUMNS))).astype(np.float32)
    rows = np.arange(len(classes))
    return Sample(features, classes, len(counts), random.permutation(rows) % FOLDS, rows)
