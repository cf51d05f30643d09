"""How long exporting a classifier takes, against the usual ways in the same run: `python -m benchmarks.exports`.

The usual ways: model.save, model.export (a SavedModel), and TFLiteConverter.from_saved_model on that.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.machine import describe_machine
from trainer_worker.backbones import efficientnet_lite
from trainer_worker.exports import FORMATS, check_exports, export_model

IMAGE_SIZE = 224


def build_classifier() -> keras.Model:
    backbone = efficientnet_lite.build(IMAGE_SIZE)
    pooled = keras.layers.GlobalAveragePooling2D()(backbone.output)
    return keras.Model(backbone.input, keras.layers.Dense(5, activation="softmax")(pooled))


def seconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def time_usual_ways(model: keras.Model, folder: Path) -> dict[str, float]:
    def convert() -> None:
        (folder / "model.tflite").write_bytes(
            tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved_model")).convert()
        )

    return {
        "keras": seconds(lambda: model.save(folder / "model.keras")),
        "saved_model": seconds(lambda: model.export(str(folder / "saved_model"), verbose=False)),
        "tflite": seconds(convert),
    }


def time_ours(model: keras.Model, folder: Path) -> dict[str, float]:
    at = [time.perf_counter()]
    export_model(model, folder, lambda _: at.append(time.perf_counter()))
    # Steps: keras, trace, saved_model, trace, tflite.
    return {"keras": at[1] - at[0], "saved_model": at[3] - at[1], "tflite": at[5] - at[3]}


def print_checks(model: keras.Model, folder: Path, images: int) -> None:
    inputs = np.random.default_rng(1).integers(0, 256, (images, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    reference = np.concatenate([model(part.astype(np.float32), training=False) for part in np.split(inputs, images)])
    files = {name: folder / file for name, file in FORMATS.items()}
    print(f"\nloaded again and checked on {images} images")
    begun = time.perf_counter()
    checks = check_exports(files, inputs, reference, lambda outputs: float(outputs.max()), lambda _: None)
    for check in checks:
        print(
            f"  {check.format:12} {check.size_bytes / 1e6:6.1f} MB  max difference {check.max_difference:.1e}"
            f"  {check.ms_per_image:6.1f} ms/image"
        )
    print(f"  in all {time.perf_counter() - begun:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs of each way, in turn; the least disturbed one counts"
    )
    parser.add_argument("--images", type=int, default=32, help="images for the check of the files")
    options = parser.parse_args()
    ways: dict[str, Callable[[keras.Model, Path], dict[str, float]]] = {"usual": time_usual_ways, "ours": time_ours}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as scratch:
        for repeat in range(options.repeats):
            for name, way in ways.items():
                folder = Path(scratch, f"{name}{repeat}")
                folder.mkdir()
                runs[name].append(way(model := build_classifier(), folder))
        print(describe_machine())
        print(f"EfficientNet-Lite0 classifier, {IMAGE_SIZE} px, seconds, least of {options.repeats} runs\n")
        print(f"{'':12} {'usual':>8} {'ours':>8} {'ratio':>8}")
        for name in ("keras", "saved_model", "tflite", "all"):
            usual, ours = (
                float(np.min([sum(run.values()) if name == "all" else run[name] for run in runs[way]])) for way in ways
            )
            print(f"{name:12} {usual:8.2f} {ours:8.2f} {usual / ours:7.1f}x")
        print_checks(model, folder, options.images)


if __name__ == "__main__":
    main()
