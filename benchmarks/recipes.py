"""TFModel's classifier beside two recipes that people use, on the same held-out images.

    python -m benchmarks.recipes DATASET_DIR [DATASET_DIR ...] [--seeds 3] [--recipes tfmodel,guide,regression]
    python -m benchmarks.recipes --smoke        80 small pictures of digits: shows only that everything runs

    tfmodel      the trainer of trainType=classification, with its exports and their checks
    guide        Keras's transfer-learning guide on the same backbone: head, then all of it for five epochs
    regression   logistic regression on the frozen backbone's features, its penalty chosen by cross-validation

DATASET_DIR holds class folders and stays untouched. Each run has a process of its own; seconds leave out loading
TensorFlow and converting the backbone, which a service does once. Targets: accuracy at least the guide's less half
a point in at most a fifth of its time, and better than the regression's.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from demo.digits_data import make_digits_project
from trainer_worker.data.class_folders import scan

RECIPES = ("tfmodel", "guide", "regression")
TARGET_BELOW_GUIDE, TARGET_OF_GUIDE_TIME = 0.005, 0.2
SMOKE_IMAGES, SMOKE_SIZE_PX = 80, 64
RUN_TIMEOUT_S = 4 * 3600.0

Outcomes = dict[str, list[dict[str, Any]]]


def copy_class_folders(source: Path, project: Path, per_class: int) -> None:
    """Hard links where the disk allows: the source folder gets no models/ and nothing is copied.

    per_class: take so many images of each class at most; 0: all.
    """
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


def run_recipe(recipe: str, project: Path, seed: int, flags: Sequence[str]) -> dict[str, Any]:
    """The fields of benchmarks.recipe_runs.Outcome. Raises RuntimeError with the end of what a failed run said."""
    command = [sys.executable, "-m", "benchmarks.recipe_runs", recipe, str(project), "--seed", str(seed), *flags]
    root = Path(__file__).resolve().parent.parent
    ended = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=RUN_TIMEOUT_S, check=False)
    if ended.returncode != 0:
        raise RuntimeError(f"{recipe}, seed {seed}, ended with {ended.returncode}:\n{ended.stderr[-3000:]}")
    lines = ended.stdout.splitlines()
    outcome: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return outcome


def measure(source: Path, recipes: Sequence[str], seeds: int, per_class: int, flags: Sequence[str]) -> Outcomes:
    """Every recipe with every seed, one after the other, each on a fresh copy; a line is printed for each."""
    outcomes: Outcomes = {recipe: [] for recipe in recipes}
    for seed in range(1, seeds + 1):
        for recipe in recipes:
            with tempfile.TemporaryDirectory() as folder:
                copy_class_folders(source, Path(folder), per_class)
                outcome = run_recipe(recipe, Path(folder), seed, flags)
            outcomes[recipe].append(outcome)
            print(f"seed {seed}, {recipe:<11}{_one_line(outcome)}", flush=True)
            if outcome["held_out"] != outcomes[recipes[0]][-1]["held_out"]:
                raise RuntimeError(f"{recipe} scored other images than {recipes[0]}: nothing can be compared")
    return outcomes


def _one_line(outcome: dict[str, Any]) -> str:
    text = (
        f"accuracy {outcome['accuracy']:.4f}, balanced {outcome['balanced_accuracy']:.4f}, {outcome['seconds']:.1f} s"
    )
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in (outcome["stage_seconds"] or {}).items())
    return f"{text} ({stages})" if stages else text


def print_table(outcomes: Outcomes) -> None:
    columns = ("accuracy", "balanced accuracy", "seconds", "images/s", "peak memory MB")
    print(f"\n{'mean ± deviation':<17}" + "".join(f"{column:>20}" for column in columns))
    for recipe, runs in outcomes.items():
        cells = (
            _spread([100 * run["accuracy"] for run in runs], "%"),
            _spread([100 * run["balanced_accuracy"] for run in runs], "%"),
            _spread([run["seconds"] for run in runs]),
            _spread([run["images"] / run["seconds"] for run in runs]),
            _spread([run["peak_mb"] for run in runs]),
        )
        print(f"{recipe:<17}" + "".join(f"{cell:>20}" for cell in cells))


def _spread(values: Sequence[float], unit: str = "") -> str:
    """Mean and standard deviation over seeds; of one value there is no deviation."""
    mean = f"{statistics.mean(values):.1f}"
    return f"{mean} ± {statistics.stdev(values):.1f}{unit}" if len(values) > 1 else mean + unit


def target_lines(outcomes: Outcomes) -> list[str]:
    """Which targets hold, for as far as the recipes that were run can tell."""
    mean = {
        recipe: {key: statistics.mean(run[key] for run in runs) for key in ("accuracy", "seconds")}
        for recipe, runs in outcomes.items()
    }
    ours, lines = mean.get("tfmodel"), []
    if ours and (theirs := mean.get("guide")):
        ahead, share = ours["accuracy"] - theirs["accuracy"], ours["seconds"] / theirs["seconds"]
        lines.append(
            f"tfmodel - guide: {100 * ahead:+.2f} points, target {-100 * TARGET_BELOW_GUIDE:+.1f}: "
            f"{_verdict(ahead >= -TARGET_BELOW_GUIDE)}; "
            f"{share:.2f} of its time, target {TARGET_OF_GUIDE_TIME}: {_verdict(share <= TARGET_OF_GUIDE_TIME)}"
        )
    if ours and (theirs := mean.get("regression")):
        ahead = ours["accuracy"] - theirs["accuracy"]
        lines.append(f"tfmodel - regression: {100 * ahead:+.2f} points, target above 0: {_verdict(ahead > 0)}")
    return lines


def _verdict(holds: bool) -> str:
    return "holds" if holds else "MISSED"


def report(source: Path, arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    folders = scan(source)
    counts = ", ".join(f"{label} {number}" for label, number in folders.counts().items())
    taken = f", at most {arguments.per_class} of each" if arguments.per_class else ""
    print(
        f"\n{source.name}: {len(folders.files)} images ({counts}){taken}; 20 % held out; seeds 1 to {arguments.seeds}"
    )
    outcomes = measure(source, arguments.recipes, arguments.seeds, arguments.per_class, flags)
    print_table(outcomes)
    print("\n".join(target_lines(outcomes)), flush=True)


def _recipe_names(text: str) -> list[str]:
    names = text.split(",")
    if not set(names) <= set(RECIPES):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of some of {','.join(RECIPES)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", type=Path, nargs="*", metavar="DATASET_DIR")
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 1 on")
    parser.add_argument("--recipes", type=_recipe_names, default=list(RECIPES))
    parser.add_argument("--per-class", type=int, default=0, help="use at most this many images a class; 0: all")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--cache-dir", type=Path, default=Path(tempfile.gettempdir()) / "tfmodel-benchmark-cache")
    parser.add_argument("--smoke", action="store_true", help="a minute at most, on generated pictures, one seed")
    arguments = parser.parse_args()
    if not arguments.datasets and not arguments.smoke:
        parser.error("name a folder of class folders, or say --smoke")
    flags = ["--threads", str(arguments.threads), "--cache-dir", str(arguments.cache_dir)]
    print(f"{describe_machine()}; {arguments.threads} threads", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.smoke:
            digits = Path(folder, "digits")
            make_digits_project(digits, SMOKE_IMAGES)
            arguments.datasets, arguments.seeds = [digits], 1
            flags += ["--image-size", str(SMOKE_SIZE_PX), "--quick"]
        else:
            run_recipe("prepare", Path(folder), 1, flags)
        for source in arguments.datasets:
            report(source, arguments, flags)


if __name__ == "__main__":
    main()
