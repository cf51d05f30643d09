"""What larger backbones cost and gain: each is trained on the same pictures, split and seeds.

    python -m benchmarks.backbones DATASET_DIR [--backbones lite0,lite1,lite2] [--seeds 3] [--per-class 0]

DATASET_DIR holds class folders and is not changed. Each training is a whole task of trainType=classification, with
exports and checks, in a process of its own. The output is accuracy, seconds and the size of model.tflite, then the
seconds of each stage relative to the first backbone; `benchmarks.backbone_costs` measures these more exactly. Backbones
take turns for each seed, so other work on the machine disturbs all of them equally.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.dataset_folder import dataset_folder
from benchmarks.linked_folders import copy_class_folders
from benchmarks.machine import describe_machine
from benchmarks.recipes import COMPARISON
from conf.settings import ROOT
from protocol.options import BACKBONES
from protocol.project_layout import LATEST, MODELS

STAGES = ("features", "train", "export", "check")


def measure(backbone: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields of benchmarks.recipe_process.Outcome, and model_mb."""
    flags = ["--threads", str(arguments.threads), "--cache-dir", str(arguments.cache_dir)]
    for option in (f"seed={seed}", f"imageSize={arguments.image_size}", f"backbone={backbone}"):
        flags += ["--option", option]
    flags += ["--weights-dir", str(arguments.weights_dir)]
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        copy_class_folders(arguments.dataset, project, arguments.per_class)
        outcome = COMPARISON.run("tfmodel", project, flags)
        return {**outcome, "model_mb": (project / MODELS / LATEST / "model.tflite").stat().st_size / 1e6}


def _figure(run: dict[str, Any], key: str) -> float:
    return float(run["scores"][key] if key in run["scores"] else run[key])


def print_table(outcomes: dict[str, list[dict[str, Any]]]) -> None:
    """Print means over the seeds. For stages it is the median over the seeds of the ratio to the first backbone."""
    print(f"\n{'':20}{'accuracy':>10}{'balanced':>10}{'seconds':>10}{'MB':>8}" + "".join(f"{s:>10}" for s in STAGES))
    first = next(iter(outcomes.values()))
    for backbone, runs in outcomes.items():
        keys = ("accuracy", "balanced_accuracy", "seconds", "model_mb")
        accuracy, balanced, seconds, model_mb = (statistics.mean(_figure(run, key) for run in runs) for key in keys)
        pairs = [(run["stage_seconds"], other["stage_seconds"]) for run, other in zip(runs, first, strict=True)]
        ratios = [statistics.median(own[stage] / other[stage] for own, other in pairs) for stage in STAGES]
        print(
            f"{backbone:20}{accuracy:10.3f}{balanced:10.3f}{seconds:10.1f}{model_mb:8.1f}"
            + "".join(f"{ratio:9.2f}x" for ratio in ratios)
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=dataset_folder, metavar="DATASET_DIR")
    parser.add_argument("--backbones", type=_backbone_names, default=["lite0", "lite1", "lite2"])
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 1 on")
    parser.add_argument("--per-class", type=int, default=0, help="use at most this many images a class; 0: all")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--cache-dir", type=Path, default=Path(tempfile.gettempdir()) / "tfmodel-benchmark-cache")
    parser.add_argument("--weights-dir", type=Path, default=ROOT / "weights", help="for Keras Applications")
    arguments = parser.parse_args()
    taken = f", at most {arguments.per_class} of each class" if arguments.per_class else ""
    print(f"{describe_machine()}; {arguments.threads} threads; {arguments.dataset.name}{taken}", flush=True)
    outcomes: dict[str, list[dict[str, Any]]] = {backbone: [] for backbone in arguments.backbones}
    for seed in range(1, arguments.seeds + 1):
        for backbone, runs in outcomes.items():
            runs.append(measure(backbone, seed, arguments))
            stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in runs[-1]["stage_seconds"].items())
            print(f"seed {seed}, {backbone:20}accuracy {runs[-1]['scores']['accuracy']:.4f} ({stages})", flush=True)
    print_table(outcomes)


def _backbone_names(text: str) -> list[str]:
    names = text.split(",")
    if not set(names) <= {*BACKBONES} - {"auto"}:
        allowed = ",".join(name for name in BACKBONES if name != "auto")
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of some of {allowed}")
    return names


if __name__ == "__main__":
    main()
