"""Dice on held-out pictures and seconds per stage of the real segmentation trainer.

    python -m benchmarks.segmentation FOLDER --seeds 1,2,3 [--epochs 30] [--image-size 224] ...

FOLDER is a project folder (images/ with masks/ or labels/). It is trained through a temporary folder of links, so
that it stays untouched. Without FOLDER the demo's pictures are made and used.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine
from demo.segmentation_data import make_segmentation_project
from protocol.options import typed_options
from trainer_worker.data.mask_classes import CLASSES_FILE
from trainer_worker.job import Job, Phase, SilentReporter, TrainingResult

DEMO_IMAGES = 100
OPTIONS = {"epochs": int, "imageSize": int, "validationSplit": float, "learningRate": float, "batchSize": int}


class QuietReporter(SilentReporter):
    """Keeps what the trainer says; asks for nothing."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []

    def plan(self, phases: Sequence[Phase]) -> None:
        self.planned = {phase.name: phase.expected_s for phase in phases}

    def epoch(self, number: int, metrics: dict[str, float]) -> None:
        self.epochs.append(metrics)


def run(folder: Path, seed: int, options: dict[str, float], threads: int) -> tuple[TrainingResult, QuietReporter]:
    from trainer_worker.trainers.segmentation import train

    reporter = QuietReporter()
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary, "project")
        project.mkdir()
        for name in ("images", "masks", "labels"):
            if (folder / name).is_dir():
                (project / name).symlink_to((folder / name).resolve())
        if (folder / CLASSES_FILE).is_file():
            shutil.copy(folder / CLASSES_FILE, project)
        job = Job(f"seed{seed}", 1, project, "segmentation", typed_options("segmentation", {**options, "seed": seed}))
        return train(job, reporter, Path(temporary), threads), reporter


def report(folder: Path, seeds: list[int], options: dict[str, float], threads: int) -> None:
    print(f"{folder.name}, {options or 'default options'}, {threads} threads")
    dices, seconds = [], []
    for seed in seeds:
        began = time.perf_counter()
        result, reporter = run(folder, seed, options, threads)
        seconds.append(time.perf_counter() - began)
        dices.append(result.metrics["dice"])
        stages = "  ".join(f"{k} {v:.1f} (plan {reporter.planned[k]:.1f})" for k, v in result.stage_seconds.items())
        figures = "  ".join(f"{name} {value:.4f}" for name, value in result.metrics.items() if name != "images")
        epochs = f"{len(reporter.epochs)} epochs"
        print(f"seed {seed}: {figures}  {epochs}\n        {seconds[-1]:.1f} s: {stages}", flush=True)
    print(f"mean Dice {np.mean(dices):.4f} (per picture), {np.mean(seconds):.1f} s a task")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    for name, kind in OPTIONS.items():
        parser.add_argument(f"--{name}", type=kind)
    arguments = parser.parse_args()
    options = {name: value for name in OPTIONS if (value := getattr(arguments, name)) is not None}
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    _set_threads(arguments.threads)
    print(describe_machine())
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder
        if folder is None:
            folder = Path(temporary, "digits_on_photos")
            make_segmentation_project(folder, DEMO_IMAGES, seed=1)
        report(folder, seeds, options, arguments.threads)


def _set_threads(threads: int) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)


if __name__ == "__main__":
    main()
