"""What each export format costs, and how close its outputs are: `python -m benchmarks.exports`.

First each format by itself: seconds to write, seconds to check (load in a process of its own and run the held-out
pictures), size, milliseconds an image, and the largest difference to the model's outputs. Then, in the same run, our
exports are compared with the usual ways: model.save; model.export, a SavedModel; TFLiteConverter.from_saved_model on
that. Last, the default formats as a task exports them, each checked while the next is written.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import psutil
import tensorflow as tf

from benchmarks.machine import describe_machine
from protocol.options import TrainingOptions
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.exporting.checks import ExportChecks, HeldOut, start_runtimes
from trainer_worker.exporting.formats import FORMATS
from trainer_worker.exporting.scoring import CannotRunError, ScoringProcess, kept_processes
from trainer_worker.exporting.writers import ModelToExport
from trainer_worker.exporting.writing import CALIBRATION_PICTURES, export_model

IMAGE_SIZE = 224
CLASSES = 5


@dataclass(frozen=True)
class Subject:
    """A classifier and pictures of noise. The speed does not depend on what pictures show."""

    source: ModelToExport
    held_out: HeldOut
    threads: int


def build_subject(images: int, threads: int) -> Subject:
    keras.utils.set_random_seed(1)
    backbone = LITE0.build(IMAGE_SIZE)
    pooled = keras.layers.GlobalAveragePooling2D()(backbone.output)
    model = keras.Model(backbone.input, keras.layers.Dense(CLASSES, activation="softmax")(pooled))
    noise = np.random.default_rng(1)
    pictures = noise.integers(0, 256, (images, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    reference = np.concatenate([model(part.astype(np.float32), training=False) for part in np.split(pictures, images)])
    truth = reference.argmax(-1)
    held_out = HeldOut(pictures, reference, lambda outputs: float(np.mean(outputs.argmax(-1) == truth)), "accuracy")
    calibration = noise.integers(0, 256, (CALIBRATION_PICTURES, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    return Subject(ModelToExport(model, lambda: calibration), held_out, threads)


def seconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def answer_of(process: ScoringProcess) -> None:
    """Wait for the first answer of the process, whatever it is."""
    with contextlib.suppress(CannotRunError):
        process.run(np.zeros((1, 1, 1, 3)))


def print_formats(subject: Subject, folder: Path) -> None:
    """Print each format. They run one after the other, so that nothing else uses the cores."""
    print(f"{'':16} {'write s':>8} {'check s':>8} {'MB':>7} {'ms/image':>9} {'difference':>11}")
    for name in FORMATS:
        (folder / name).mkdir()
        files: dict[str, Path] = {}
        begun = time.perf_counter()
        try:
            unwritten = export_model(subject.source, folder / name, [name], files.__setitem__, lambda _: None)
        except Exception as error:
            print(f"{name:16} {error}")
            continue
        written_s = time.perf_counter() - begun
        begun = time.perf_counter()
        with ExportChecks(subject.held_out, subject.threads) as checks:
            checks.begin(name, files[name])
            found = checks.finish(lambda _: None, unwritten)
        checked_s = time.perf_counter() - begun
        for check in found.checks:
            print(
                f"{name:16} {written_s:8.2f} {checked_s:8.2f} {check.size_bytes / 1e6:7.1f} {check.ms_per_image:9.1f}"
                f" {check.max_difference:11.1e}  {check.flagged}"
            )


def usual_ways(subject: Subject, folder: Path) -> None:
    subject.source.model.save(folder / "model.keras")
    subject.source.model.export(str(folder / "saved_model"), verbose=False)
    content = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved_model")).convert()
    (folder / "model.tflite").write_bytes(content)


def our_ways(subject: Subject, folder: Path) -> None:
    formats = ("keras", "saved_model", "tflite")
    export_model(subject.source, folder, formats, lambda *_: None, lambda _: None)


def export_as_a_task_does(subject: Subject, folder: Path, formats: Sequence[str]) -> None:
    with ExportChecks(subject.held_out, subject.threads) as checks:
        unwritten = export_model(subject.source, folder, formats, checks.begin, lambda _: None)
        checks.finish(lambda _: None, unwritten)


def print_least(ways: dict[str, Callable[[Path], None]], folder: Path, repeats: int) -> None:
    """Print the seconds of each. They take turns, and the fastest run of each counts."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats):
        for name, way in ways.items():
            (place := folder / f"{name}{repeat}").mkdir()
            spent[name].append(seconds(lambda way=way, place=place: way(place)))  # type: ignore[misc]
    for name, found in spent.items():
        print(f"{name:60} {min(found):6.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each way; the fastest counts")
    parser.add_argument("--images", type=int, default=20, help="held-out pictures: 20 are a fifth of 100 photos")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    options = parser.parse_args()
    subject = build_subject(options.images, options.threads)
    print(f"{describe_machine()}; EfficientNet-Lite0 classifier, {IMAGE_SIZE} px, {options.images} held-out pictures")
    started_s = seconds(lambda: start_runtimes(["keras"], options.threads))
    process = kept_processes(options.threads).start("tensorflow")
    started_s += seconds(lambda: answer_of(process))
    private_mb = psutil.Process(process.pid).memory_full_info().uss / 2**20
    print(f"TensorFlow's scoring process is ready after {started_s:.1f} s, and holds {private_mb:.0f} MB of its own\n")
    formats = TrainingOptions().exports
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "alone").mkdir()
        print_formats(subject, Path(scratch) / "alone")
        print(f"\nseconds, fastest of {options.repeats}")
        ways: dict[str, Callable[[Path], None]] = {
            "keras, saved_model and tflite, the usual ways": lambda folder: usual_ways(subject, folder),
            "keras, saved_model and tflite, ours": lambda folder: our_ways(subject, folder),
            f"written and checked as by a task: {','.join(formats)}": lambda folder: export_as_a_task_does(
                subject, folder, formats
            ),
            "the same and tflite_float16": lambda folder: export_as_a_task_does(
                subject, folder, (*formats, "tflite_float16")
            ),
        }
        print_least(ways, Path(scratch), options.repeats)


if __name__ == "__main__":
    main()
