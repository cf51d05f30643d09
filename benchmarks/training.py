"""How fast the feature stage is, and how good and how fast whole trainings are.

    python -m benchmarks.training                                      images/s, three ways in one run
    python -m benchmarks.training --accuracy FOLDER --seeds 1,2,3      the real trainer on a copy of FOLDER

The first compares, in interleaved repeats, the feature stage on files against the same engine on pictures in
memory (target: at least 0.85) and against Keras's `predict` one image at a time (target: at least 6 times).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

from benchmarks.machine import describe_machine
from protocol.options import ClassificationOptions
from trainer_worker.backbones import efficientnet_lite
from trainer_worker.data.class_folders import scan
from trainer_worker.data.images import find_images, read_rgb
from trainer_worker.features import FeatureExtractor
from trainer_worker.job import Job, SilentReporter
from trainer_worker.trainers import classification

FLOWERS = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "flowers5"
SIZE = 224
TARGET_OF_MEMORY, TARGET_OF_PREDICT = 0.85, 6.0


def photos(count: int, folder: Path) -> tuple[str, list[Path]]:
    """flowers5 where it lies beside the project, else random crops of two photos saved as JPEG in `folder`."""
    if FLOWERS.is_dir():
        files = find_images(FLOWERS, recursive=True)
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
        pictures = np.stack([read_rgb(path, (SIZE, SIZE)) for path in files])
        extractor = FeatureExtractor(SIZE, threads, cache_dir)
        backbone = efficientnet_lite.build(SIZE)
        model = keras.Model(backbone.input, keras.layers.GlobalAveragePooling2D()(backbone.output))

        def predict_one_by_one() -> None:
            for path in files[:predicted]:
                model.predict(read_rgb(path, (SIZE, SIZE))[None].astype(np.float32), verbose=0)

        ways: dict[str, tuple[Callable[[], Any], int]] = {
            "feature stage, files": (lambda: list(extractor.of_files(files)), count),
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


def copy_class_folders(source: Path, project: Path, per_class: int) -> None:
    """Hard links where the disk allows: the source folder gets no models/ and nothing is copied."""
    folders = scan(source)
    taken = dict.fromkeys(range(len(folders.labels)), 0)
    for path, label in zip(folders.files, folders.classes.tolist(), strict=True):
        if per_class and taken[label] >= per_class:
            continue
        target = project / "images" / folders.labels[label] / f"{taken[label]}_{path.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        taken[label] += 1
        try:
            target.hardlink_to(path)
        except OSError:
            target.write_bytes(path.read_bytes())


def accuracy(source: Path, seeds: Sequence[int], per_class: int, threads: int, cache_dir: Path) -> None:
    classification.warm_up(cache_dir, threads)
    print(
        f"{describe_machine()}; {threads} threads\n"
        f"{source.name}, {per_class or 'all'} images a class, validationSplit 0.2"
    )
    scores = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder)
            copy_class_folders(source, project, per_class)
            job = Job(f"seed{seed}", 1, project, "classification", ClassificationOptions(seed=seed))
            result = classification.train(job, SilentReporter(), cache_dir, threads)
        scores.append(result.metrics["accuracy"])
        stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in result.stage_seconds.items())
        total_s = sum(result.stage_seconds.values())
        best = result.details["best_epoch"]
        print(f"seed {seed}: accuracy {scores[-1]:.4f}, best epoch {best}, {total_s:.1f} s ({stages})", flush=True)
    print(f"mean accuracy {statistics.mean(scores):.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accuracy", type=Path, metavar="FOLDER", help="class folders to train on")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--per-class", type=int, default=0, help="train on this many images a class; 0: all")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--predicted", type=int, default=30, help="images for the slow one-at-a-time baseline")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--cache-dir", type=Path, default=Path(tempfile.gettempdir()) / "tfmodel-benchmark-cache")
    arguments = parser.parse_args()
    if arguments.accuracy:
        seeds = [int(seed) for seed in arguments.seeds.split(",")]
        accuracy(arguments.accuracy, seeds, arguments.per_class, arguments.threads, arguments.cache_dir)
    else:
        feature_stage(arguments.images, arguments.predicted, arguments.repeats, arguments.threads, arguments.cache_dir)


if __name__ == "__main__":
    main()
