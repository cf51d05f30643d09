"""Compares two segmenters of large pictures with thin structures: of pictures scaled down, and of unscaled tiles.

    python -m benchmarks.tiles [FOLDER] [--tiles 16] [--image-size 128] [--batch-size 8] [--seeds 1]

FOLDER is a project folder (images/ with masks/ or labels/). Without one, pictures with thin lines are drawn. Both
trainings have the same options except `tiles`. Dice is measured at the pictures' own resolution.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.dataset_folder import dataset_folder
from benchmarks.machine import describe_machine
from demo.segmentation_data import make_thin_lines_project
from protocol.options import typed_options
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, SilentReporter
from trainer_worker.pictures.images import read_rgb
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.segmentation.folders import scan_mask_folders
from trainer_worker.segmentation.scores import MaskTally
from trainer_worker.segmentation.whole_pair import whole_pair

DRAWN_PICTURES, DRAWN_SIDE_PX = 24, 512


def train_once(project: Path, options: dict[str, Any], threads: int) -> tuple[Path, float, float, int]:
    """Train once. Returns model folder, Dice as the trainer reports it, seconds and epochs."""
    from trainer_worker.segmentation.train import train

    began = time.perf_counter()
    task_id = f"{options['tiles']:016x}{options['seed']:016x}"
    job = Job(task_id, 1, ProjectFolder.open(project), "segmentation", typed_options("segmentation", options))
    result = train(Attempt(job, SilentReporter(), project / "cache", threads))
    seconds = time.perf_counter() - began
    return result.model_path.parent, result.metrics["dice"], seconds, result.epochs


def dice_scaled_up(project: Path, folder: Path, side_px: int, threads: int) -> float:
    """Dice of a model for whole pictures, from its probabilities scaled up to the held-out pictures' own resolution."""
    from trainer_worker.exporting.scoring import load_predictor

    folders = scan_mask_folders(UserFiles.at(project))
    held_out = {row["file"] for row in json.loads((folder / "metrics.json").read_text())["held_out"]}
    predict = load_predictor(folder / "model.tflite", threads)
    tally = MaskTally(folders.classes.names)
    for pair in folders.pairs:
        if pair.picture.relative_to(project).as_posix() in held_out:
            with whole_pair(folders, pair, side_px) as (picture, truth):
                size = picture.shape[1::-1]
            probabilities = predict(read_rgb(folders.reader, pair.picture, (side_px, side_px))[None])[0, ..., 0]
            found = np.asarray(Image.fromarray(probabilities).resize(size, Image.Resampling.BILINEAR)) > 0.5
            tally.add(truth, found)
    return tally.scores().dice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=dataset_folder, nargs="?")
    parser.add_argument("--tiles", type=int, default=16)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(describe_machine())
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary, "project")
        if arguments.folder is None:
            make_thin_lines_project(project, DRAWN_PICTURES, DRAWN_SIDE_PX, seed=1)
        else:
            project.mkdir()
            for name in ("images", "masks", "labels"):
                if (arguments.folder / name).is_dir():
                    shutil.copytree(arguments.folder / name, project / name)
        for seed in map(int, arguments.seeds.split(",")):
            compare(project, seed, arguments)


def compare(project: Path, seed: int, arguments: argparse.Namespace) -> None:
    options = {"imageSize": arguments.image_size, "batchSize": arguments.batch_size, "seed": seed}
    folder, dice, seconds, epochs = train_once(project, {**options, "tiles": 0}, arguments.threads)
    native = dice_scaled_up(project, folder, arguments.image_size, arguments.threads)
    print(f"seed {seed}: whole, {epochs} epochs: Dice {native:.3f} (at the input size {dice:.3f}), {seconds:.0f} s")
    _, dice, seconds, epochs = train_once(project, {**options, "tiles": arguments.tiles}, arguments.threads)
    print(f"seed {seed}: {arguments.tiles} tiles, {epochs} epochs: Dice {dice:.3f}, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
