"""TFModel's classifier compared with two recipes that people use, on the same held-out images.

    python -m benchmarks.recipes DATASET_DIR [DATASET_DIR ...] [--seeds 3] [--recipes tfmodel,guide,regression]
    python -m benchmarks.recipes --smoke        80 small pictures of digits: shows only that everything runs

    tfmodel      the trainer of trainType=classification, with its exports and their checks
    guide        Keras's transfer learning guide on the same backbone: the head, then all of it for five epochs
    regression   logistic regression on the frozen backbone's features, its penalty chosen by cross-validation

DATASET_DIR holds class folders and is not changed. Each run has a process of its own, which first runs on a few digits.
The seconds leave out what a worker does only once, such as loading TensorFlow. Targets: the accuracy is at most half a
point below the guide's, in at most a fifth of its time, and higher than the regression's.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.comparison import Comparison, Target
from benchmarks.dataset_folder import dataset_folder
from benchmarks.machine import describe_machine
from demo.digits_data import make_digits_project
from trainer_worker.classification.folders import scan_class_folders
from trainer_worker.pictures.user_files import UserFiles

COMPARISON = Comparison(
    "benchmarks.recipe_runs",
    ("tfmodel", "guide", "regression"),
    ("accuracy", "balanced_accuracy"),
    (Target("guide", below=0.005, of_time=0.2), Target("regression")),
)
SMOKE_IMAGES, SMOKE_SIZE_PX = 80, 64


def copy_class_folders(source: Path, project: Path, per_class: int) -> None:
    """Copy a dataset, with hard links if the disk allows them. The source folder gets no models/.

    per_class: the most images to take of each class; 0 for all.
    """
    folders = scan_class_folders(UserFiles.at(source))
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


def report(source: Path, arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    folders = scan_class_folders(UserFiles.at(source))
    counts = ", ".join(f"{label} {number}" for label, number in folders.counts().items())
    taken = f", at most {arguments.per_class} of each" if arguments.per_class else ""
    print(
        f"\n{source.name}: {len(folders.files)} images ({counts}){taken}; 20 % held out; seeds 1 to {arguments.seeds}"
    )

    def lay_out(project: Path) -> None:
        copy_class_folders(source, project, arguments.per_class)

    COMPARISON.report(lay_out, arguments.recipes, arguments.seeds, flags)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", type=dataset_folder, nargs="*", metavar="DATASET_DIR")
    COMPARISON.add_arguments(parser)
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="of trainType=classification"
    )
    parser.add_argument("--per-class", type=int, default=0, help="use at most this many images a class; 0: all")
    parser.add_argument("--smoke", action="store_true", help="a minute at most, on generated pictures, one seed")
    arguments = parser.parse_args()
    if not arguments.datasets and not arguments.smoke:
        parser.error("name a folder of class folders, or say --smoke")
    flags = ["--threads", str(arguments.threads), "--cache-dir", str(arguments.cache_dir)]
    flags += [word for option in arguments.option for word in ("--option", option)]
    print(f"{describe_machine()}; {arguments.threads} threads", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.smoke:
            digits = Path(folder, "digits")
            make_digits_project(digits, SMOKE_IMAGES)
            arguments.datasets, arguments.seeds = [digits], 1
            flags += ["--option", f"imageSize={SMOKE_SIZE_PX}", "--quick"]
        else:
            COMPARISON.run("prepare", Path(folder), flags)
        for source in arguments.datasets:
            report(source, arguments, flags)


if __name__ == "__main__":
    main()
