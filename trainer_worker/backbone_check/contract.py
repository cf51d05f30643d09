"""What a training expects of an operator's own network, tried one by one.

It uses the code that trainings use: the extractor of features, and the classifier that is built on the network.
"""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from protocol.errors import TrainingError
from trainer_worker.attempt.local_weights import LocalWeights
from trainer_worker.backbones.backbone import Backbone
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.backbones.own_folder import read_own_folder
from trainer_worker.backbones.own_network import load_own_network
from trainer_worker.classification.classifier import Classifier, build_classifier
from trainer_worker.classification.features import FeatureExtractor
from trainer_worker.exporting.writers import trace_frozen

#: The sizes of pictures that are tried with a network that takes any.
SIZES_PX = (64, 224)
PICTURES = 4
#: Features of the same picture may differ by this share of the largest one.
TOLERANCE = 1e-4
TIMED_PICTURES = 8
#: FeatureExtractor.device in words.
ENGINES = {"cpu": "TFLite", "gpu": "the GPU", "cpu_tensorflow": "TensorFlow, because TFLite can't run it"}


@dataclass(frozen=True)
class Outcome:
    """One thing that was tried. is_good: whether trainings can rely on it. sentence: what was found, and what to do."""

    is_good: bool
    sentence: str


def check_network(path: Path, sizes_px: Sequence[int] = (), timed: bool = True) -> Iterator[Outcome]:
    """Try the network in that folder, with pictures of these sizes; by default with those that it should take.

    timed: whether to say how long a picture takes.
    """
    try:
        settings = read_own_folder(path).settings
        backbone = load_own_network(LocalWeights.at(path))
    except TrainingError as error:
        yield Outcome(False, error.error)
        return
    yield Outcome(True, f"{path / 'backbone.toml'}: {settings.network}, licence {settings.licence}")
    for size_px in sizes_px or ((settings.input_px,) if settings.input_px else SIZES_PX):
        try:
            trial = _Trial(backbone, size_px)
        except TrainingError as error:
            yield Outcome(False, error.error)
            continue
        yield from trial.outcomes()
        with tempfile.TemporaryDirectory() as cache_dir:
            extractor = FeatureExtractor(backbone, size_px, 1, Path(cache_dir))
            yield _extracted(trial, extractor)
            if timed:
                yield _timed(extractor, FeatureExtractor(LITE0, size_px, 1, Path(cache_dir)))


class _Trial:
    """A network for pictures of one size."""

    def __init__(self, backbone: Backbone, size_px: int) -> None:
        """Raises TrainingError if the network can't be built."""
        self.backbone, self.size_px = backbone, size_px
        self.pictures = _pictures(size_px)
        self._classifier = build_classifier(backbone, size_px, 2)
        self._network = keras.Model(self._classifier.model.input, self._classifier.model.get_layer("pool").output)
        self.features = self._run(self.pictures)

    def outcomes(self) -> Iterator[Outcome]:
        at = f"{self.size_px} px"
        yield Outcome(True, f"{at}: it gives {self.features.shape[1]} features for a picture")
        yield _judged(
            _differ(self._run(self.pictures), self.features) == 0,
            f"{at}: the same pictures give the same features",
            f"{at}: the same pictures give other features when they are run again; take out what is random.",
        )
        alone = np.concatenate([self._run(picture[np.newaxis]) for picture in self.pictures])
        yield _judged(
            _differ(alone, self.features) <= TOLERANCE,
            f"{at}: the features of a picture do not depend on the other pictures of a batch",
            f"{at}: the features of a picture depend on the other pictures of a batch; use normalizations that keep "
            "their statistics.",
        )
        yield _judged(
            bool(np.ptp(self.features, axis=0).max() > TOLERANCE * max(1e-6, np.abs(self.features).max())),
            f"{at}: different pictures give different features",
            f"{at}: all pictures give the same features; look at scale and offset, or mean and std.",
        )
        yield from self._cut(at)
        try:
            trace_frozen(self._classifier.model, 1)
            yield Outcome(True, f"{at}: a classifier on it can be traced for every file format")
        except Exception as error:  # what fails depends on the layers
            yield Outcome(False, f"{at}: a classifier on it can be written as a Keras file at most: {error}")

    def _cut(self, at: str) -> Iterator[Outcome]:
        if self.backbone.trunk_end is None:
            yield Outcome(True, f"{at}: no layer of it is trained, only the head of the classifier (no trunk_end)")
            return
        maps = _trunk(self._classifier, self.backbone.trunk_end)(self.pictures, training=False)
        parts = np.asarray(self._classifier.pool(maps, training=False))
        yield _judged(
            _differ(parts, self.features) <= TOLERANCE,
            f"{at}: cut at trunk_end, its two parts give together what the whole gives",
            f"{at}: cut at trunk_end, its two parts give something else than the whole; name another layer.",
        )
        learning = np.asarray(self._classifier.pool(maps, training=True))
        yield _judged(
            _differ(learning, parts) <= TOLERANCE,
            f"{at}: the layers behind trunk_end give the same in training and in use",
            f"{at}: the layers behind trunk_end give other features in training than in use; take out dropouts and "
            "random layers.",
        )
        try:
            _ = self._classifier.trainee
        except Exception as error:  # a layer of another author may fail in any way
            yield Outcome(False, f"{at}: the layers behind trunk_end can't be trained: {type(error).__name__}: {error}")

    def _run(self, pictures: Any) -> Any:
        return np.asarray(self._network(pictures, training=False))


def _trunk(classifier: Classifier, end: str) -> Any:
    return keras.Model(classifier.model.input, classifier.model.get_layer(end).output)


def _extracted(trial: _Trial, extractor: FeatureExtractor) -> Outcome:
    """Features as trainings compute them."""
    at = f"{trial.size_px} px"
    last = trial.features.shape[1]  # features of earlier layers follow
    found = np.stack([features.pooled[:last] for features in extractor.of_pictures(trial.pictures)])
    difference = _differ(found, trial.features)
    return _judged(
        difference <= 10 * TOLERANCE,
        f"{at}: trainings compute its features by {ENGINES[extractor.device]}; they differ by {difference:.1e} at most",
        f"{at}: its features, computed by {ENGINES[extractor.device]}, differ by {difference:.1e}; do not use it.",
    )


def _timed(extractor: FeatureExtractor, lite0: FeatureExtractor) -> Outcome:
    """How long the features of a picture take, beside those of lite0."""
    size_px = extractor.image_size
    own_s, lite0_s = (_seconds_of(functools.partial(_compute, each, size_px)) for each in (extractor, lite0))
    return Outcome(
        True,
        f"{size_px} px: a picture takes {1000 * own_s:.1f} ms on one core, {own_s / lite0_s:.1f} times as long as with "
        f"lite0; backbone.toml says cost = {extractor.backbone.features_cost:g}",
    )


def _compute(extractor: FeatureExtractor, size_px: int) -> None:
    for _ in extractor.of_pictures(np.resize(_pictures(size_px), (TIMED_PICTURES, size_px, size_px, 3))):
        pass


def _seconds_of(work: Callable[[], None]) -> float:
    """Seconds a picture, after a first run."""
    work()
    began_s = time.perf_counter()
    work()
    return (time.perf_counter() - began_s) / TIMED_PICTURES


def _pictures(size_px: int) -> Any:
    """Whole-numbered pictures with large and small structures, as pictures have them: uint8 (n, S, S, 3)."""
    random = np.random.default_rng(0)
    coarse = random.uniform(0, 200, (PICTURES, size_px // 16, size_px // 16, 3)).repeat(16, axis=1).repeat(16, axis=2)
    return (coarse + random.uniform(0, 55, coarse.shape)).astype(np.uint8)


def _differ(found: Any, expected: Any) -> float:
    """The largest difference, as a share of the largest number expected."""
    return float(np.abs(found - expected).max() / max(1e-6, float(np.abs(expected).max())))


def _judged(is_good: bool, good: str, bad: str) -> Outcome:
    return Outcome(is_good, good if is_good else bad)
