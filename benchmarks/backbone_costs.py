"""What a backbone costs compared with others, in processor seconds: the costs that each Backbone states.

    python -m benchmarks.backbone_costs [--backbones lite0,lite1,lite2] [--weights-dir DIR]

Three costs are measured: the features of a picture on one thread, a training step of the blocks after the trunk, and
the default exports. The backbones take turns in one process, and the smallest of the repeats counts. Processor seconds
change little when other programs use the machine.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from benchmarks.machine import describe_machine
from conf.settings import ROOT
from protocol.options import TrainingOptions
from trainer_worker.attempt.local_weights import LocalWeights
from trainer_worker.backbones.backbone import Backbone
from trainer_worker.backbones.catalogue import AUTO, find_backbone
from trainer_worker.backbones.weights_files import find_weights_file
from trainer_worker.classification.classifier import build_classifier
from trainer_worker.classification.features import FeatureExtractor
from trainer_worker.exporting.writers import ModelToExport
from trainer_worker.exporting.writing import export_model

LABELS, BATCH, PICTURES = 5, 32, 4


def features_of(backbone: Backbone, size: int, cache_dir: Path) -> Callable[[], Any]:
    extractor = FeatureExtractor(backbone, size, 1, cache_dir)
    pictures = np.random.default_rng(0).integers(0, 256, (PICTURES, size, size, 3), np.uint8)
    return lambda: list(extractor.of_pictures(pictures))


def step_of(backbone: Backbone, size: int) -> Callable[[], Any]:
    """A function that takes one training step on a batch."""
    classifier = build_classifier(backbone, size, LABELS)
    trainee, random = classifier.trainee, np.random.default_rng(0)
    trainee.begin(classifier.tail, np.zeros(LABELS, np.float32))
    maps = tf.constant(random.normal(size=(BATCH, *classifier.tail.input_shape[1:])), tf.float32)
    truth = tf.one_hot(random.integers(0, LABELS, BATCH), LABELS)
    factors = tf.ones((BATCH, classifier.last_features))

    def step() -> None:
        trainee.step(maps, truth, factors)  # at a rate of 0

    step()
    return step


def export_of(backbone: Backbone, size: int) -> Callable[[], Any]:
    model, no_pictures = build_classifier(backbone, size, LABELS).model, np.zeros((1, size, size, 3), np.uint8)

    def export() -> None:
        with tempfile.TemporaryDirectory() as folder:
            formats = TrainingOptions().exports
            source = ModelToExport(model, lambda: no_pictures)
            export_model(source, Path(folder), formats, lambda *_: None, lambda _: None)

    return export


def processor_s(work: Callable[[], Any]) -> float:
    begun_s = time.process_time()
    work()
    return time.process_time() - begun_s


def least_s(ways: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, work in ways.items():
            spent[name].append(processor_s(work))
    return {name: min(seconds) for name, seconds in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", default="lite0,lite1,lite2")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--cache-dir", type=Path, default=Path(tempfile.gettempdir()) / "tfmodel-benchmark-cache")
    parser.add_argument("--weights-dir", type=Path, default=ROOT / "weights", help="for Keras Applications")
    given = parser.parse_args()
    names, size = [name for name in given.backbones.split(",") if name != AUTO], given.image_size
    files = {name: find_weights_file(name, given.weights_dir) for name in names}
    backbones = {name: find_backbone(name, LocalWeights.at(file) if file else None) for name, file in files.items()}
    print(f"{describe_machine()}; {size} px, {given.repeats} repeats", flush=True)
    columns = {
        "features": least_s({n: features_of(b, size, given.cache_dir) for n, b in backbones.items()}, given.repeats),
        "training": least_s({n: step_of(b, size) for n, b in backbones.items()}, given.repeats),
        "exports": least_s({n: export_of(b, size) for n, b in backbones.items()}, max(1, given.repeats // 3)),
    }
    scale = {"features": 1000 / PICTURES, "training": 1000 / BATCH, "exports": 1.0}
    print(f"{'':20}{'features ms/image':>20}{'training ms/image':>20}{'exports s':>20}")
    for name in names:
        cells = (
            f"{seconds[name] * scale[column]:12.2f} {seconds[name] / seconds[names[0]]:6.2f}x"
            for column, seconds in columns.items()
        )
        print(f"{name:20}" + "".join(cells))


if __name__ == "__main__":
    main()
