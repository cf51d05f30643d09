"""How fast pictures are read and trained on. `benchmarks.recipes` measures whole trainings.

    python -m benchmarks.training

The first part compares the feature stage on files, in interleaved repeats, with the same engine on pictures in memory
(target: at least 0.85 of its speed) and with Keras's `predict` one image at a time (target: at least 6 times as fast).
The second part compares a whole training on files and on pictures in memory (target: at least 0.9 of the speed). A
whole training computes the features of two views and then fine-tunes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

from benchmarks.machine import describe_machine
from protocol.options import ClassificationOptions
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, SilentReporter
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification.classifier import build_classifier
from trainer_worker.classification.dataset import FeatureView, LabelledFeatures
from trainer_worker.classification.features import FeatureExtractor, PictureFeatures
from trainer_worker.classification.fine_tuning import fit
from trainer_worker.classification.variations import MIRRORED_PART
from trainer_worker.layouts.picture_index import PictureIndex
from trainer_worker.layouts.tree import walk
from trainer_worker.pictures.contents import content_hashes
from trainer_worker.pictures.images import PictureReader, read_rgb
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.project.folder import ProjectFolder

FLOWERS = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "flowers5"
SIZE = 224
#: No limit on the size of a file: these are our own.
READER = PictureReader(UserFiles.at(Path("/")))
TARGET_OF_MEMORY, TARGET_OF_PREDICT, TARGET_OF_TRAINING = 0.85, 6.0, 0.9


def photos(count: int, folder: Path) -> tuple[str, list[Path]]:
    """The photos of flowers5 if it lies next to the project, else random crops of two photos, saved in `folder`."""
    if FLOWERS.is_dir():
        files = [FLOWERS / path for path in PictureIndex(walk(UserFiles.at(FLOWERS))).paths]
        rows = np.linspace(0, len(files) - 1, count).astype(int)
        return "flowers5", [files[row] for row in rows]
    rng = np.random.default_rng(0)
    sources = [Image.fromarray(load_sample_image(name)) for name in ("china.jpg", "flower.jpg")]
    for number in range(count):
        left, top = int(rng.integers(0, 640 - 320)), int(rng.integers(0, 427 - 240))
        crop = sources[number % 2].crop((left, top, left + 320, top + 240))
        crop.save(folder / f"{number}.jpg", quality=90)
    return "crops of scikit-learn's sample photos", sorted(folder.iterdir())


def images_per_s(run: Callable[[], Any], images: int) -> float:
    begun = time.perf_counter()
    run()
    return images / (time.perf_counter() - begun)


def feature_stage(count: int, predicted: int, repeats: int, threads: int, cache_dir: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, files = photos(count, Path(folder))
        pictures = np.stack([read_rgb(READER, path, (SIZE, SIZE)) for path in files])
        extractor = FeatureExtractor(LITE0, SIZE, threads, cache_dir)
        backbone = LITE0.build(SIZE)
        model = keras.Model(backbone.input, keras.layers.GlobalAveragePooling2D()(backbone.output))

        def predict_one_by_one() -> None:
            for path in files[:predicted]:
                model.predict(read_rgb(READER, path, (SIZE, SIZE))[None].astype(np.float32), verbose=0)

        ways: dict[str, tuple[Callable[[], Any], int]] = {
            "feature stage, files": (lambda: list(extractor.of_files(READER, files)), count),
            "same engine, in memory": (lambda: list(extractor.of_pictures(pictures)), count),
            "predict, one file at a time": (predict_one_by_one, predicted),
        }
        model.predict(pictures[:1].astype(np.float32), verbose=0)
        list(extractor.of_pictures(pictures[:8]))
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repeats):
            for name, (run, images) in ways.items():
                rates[name].append(images_per_s(run, images))
    print(f"{describe_machine()}; {threads} threads; {count} photos ({source}), {SIZE} px, {repeats} repeats")
    print(f"{'':30}{'images/s':>10}{'lowest':>10}{'highest':>10}")
    for name, found in rates.items():
        print(f"{name:30}{statistics.median(found):10.1f}{min(found):10.1f}{max(found):10.1f}")
    stage, memory, single = rates.values()
    of_memory = statistics.median(a / b for a, b in zip(stage, memory, strict=True))
    of_predict = statistics.median(a / b for a, b in zip(stage, single, strict=True))
    print(f"files / in memory   {of_memory:6.2f}   target {TARGET_OF_MEMORY}")
    print(f"files / predict     {of_predict:6.2f}   target {TARGET_OF_PREDICT}")


class Training:
    """A training with two views of each photo and random classes: what photos show does not change the time."""

    def __init__(self, extractor: FeatureExtractor, files: list[Path], folder: Path) -> None:
        self._extractor, self._files, self._folder = extractor, files, folder
        self._classes = np.random.default_rng(0).integers(0, 5, len(files))
        self._variations = [MIRRORED_PART.of(content) for content in content_hashes(READER.files, files)]
        self._plain = np.stack([read_rgb(READER, path, (SIZE, SIZE)) for path in files])
        parts = [
            read_rgb(READER, path, (SIZE, SIZE), each.box) for path, each in zip(files, self._variations, strict=True)
        ]
        self._varied = np.stack(parts)[:, :, ::-1]  # all are mirrored

    def on_files(self) -> None:
        plain = list(self._extractor.of_files(READER, self._files))
        self._fit(plain, self._extractor.of_files(READER, self._files, self._variations))

    def in_memory(self) -> None:
        self._fit(list(self._extractor.of_pictures(self._plain)), self._extractor.of_pictures(self._varied))

    def _fit(self, plain: list[Any], varied: Iterable[Any]) -> None:
        views: list[list[PictureFeatures]] = [plain, list(varied)]
        classifier = build_classifier(LITE0, SIZE, 5)
        seen = (
            FeatureView(np.stack([picture.trunk for picture in view]), np.stack([picture.pooled for picture in view]))
            for view in views
        )
        learned = LabelledFeatures(tuple(seen), self._classes)
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            job = Job("0" * 32, 1, ProjectFolder.open(Path(folder)), "classification", ClassificationOptions())
            attempt = Attempt(job, SilentReporter(), Path(folder), self._extractor.threads)
            fit(classifier, learned, np.arange(len(self._files)), attempt)


def whole_training(count: int, repeats: int, threads: int, cache_dir: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _, files = photos(count, Path(folder))
        training = Training(FeatureExtractor(LITE0, SIZE, threads, cache_dir), files, Path(folder))
        training.in_memory()  # The first run pays for what TensorFlow loads.
        ways = (training.on_files, training.in_memory)
        rates = [[images_per_s(way, count) for way in ways] for _ in range(repeats)]
    on_files, in_memory = (statistics.median(found) for found in zip(*rates, strict=True))
    share = statistics.median(ours / theirs for ours, theirs in rates)
    print(f"whole training      {on_files:6.1f} images/s on files, {in_memory:.1f} in memory")
    print(f"files / in memory   {share:6.2f}   target {TARGET_OF_TRAINING}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--predicted", type=int, default=30, help="images for the slow one-at-a-time baseline")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--training-repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--cache-dir", type=Path, default=Path(tempfile.gettempdir()) / "tfmodel-benchmark-cache")
    arguments = parser.parse_args()
    feature_stage(arguments.images, arguments.predicted, arguments.repeats, arguments.threads, arguments.cache_dir)
    whole_training(arguments.images, arguments.training_repeats, arguments.threads, arguments.cache_dir)


if __name__ == "__main__":
    main()
