"""What all processes that run one recipe share: they read the command line, measure memory and print the outcome."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import msgspec

from benchmarks.dataset_folder import dataset_folder
from conf.settings import ROOT
from protocol.options import TrainingOptions, read_options, typed_options
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, SilentReporter, TrainingResult
from trainer_worker.attempt.local_weights import LocalWeights
from trainer_worker.backbones.weights_files import find_weights_file
from trainer_worker.exporting.scoring import kept_processes
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.training.process_memory import keep_what_is_loaded


@dataclass(frozen=True)
class Run:
    """What one recipe has to do.

    quick: train only one epoch in each stage, and without a rehearsal, since the seconds do not matter then.
    eager: use Keras's fit without graphs, which takes less time for few steps.
    Only TFModel's trainer uses the option `backbone` and weights. The other recipes use lite0.
    """

    project: Path
    options: TrainingOptions
    threads: int
    cache_dir: Path
    quick: bool = False
    eager: bool = False
    weights: LocalWeights | None = None


@dataclass(frozen=True)
class Outcome:
    """The result of one recipe.

    scores: by name, 0 to 1; the first one decides. seconds: from reading the files to the scored model.
    held_out: names of the scored files, to prove that all recipes scored the same files. peak_mb: resident memory.
    """

    scores: dict[str, float]
    held_out: list[str]
    images: int
    seconds: float
    peak_mb: float = 0.0
    stage_seconds: dict[str, float] | None = None


Recipe = Callable[[Run], Outcome]


def run_one(
    doc: str | None,
    train_type: str,
    recipes: Mapping[str, Recipe],
    make_rehearsal: Callable[[Path], None],
    prepare: Callable[[Run], None] | None = None,
) -> None:
    """Read the command line, run that recipe and print one line of JSON: the fields of `Outcome`.

    make_rehearsal: writes a small project on which the recipe runs first. The seconds then leave out what a process
    does only once, as in a worker that has trained before: loading what is loaded at first use, and starting the
    process that checks the exports. prepare: work that should not count towards the memory either; the recipe named
    "prepare" does only this.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=[*recipes, *(["prepare"] if prepare else [])])
    parser.add_argument("project", type=dataset_folder)
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help=f"of {train_type}")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--cache-dir", type=Path, required=True)
    parser.add_argument("--weights-dir", type=Path, default=ROOT / "weights", help="for Keras Applications")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    fields = dict(option.split("=", 1) for option in given.option)
    options, problems = read_options(train_type, {"epochs": "1", **fields} if given.quick else fields)
    if problems:
        parser.error(" ".join(problem.error for problem in problems))
    typed = typed_options(train_type, options)
    file = find_weights_file(typed.backbone, given.weights_dir)
    weights = LocalWeights.at(file) if file else None
    run = Run(given.project.resolve(), typed, given.threads, given.cache_dir, given.quick, given.quick, weights)
    if prepare:
        prepare(run)
    if given.recipe not in recipes:
        return
    keep_what_is_loaded()  # as a worker does
    if not run.quick:
        _rehearse(recipes[given.recipe], run, make_rehearsal)
    keras.utils.set_random_seed(run.options.seed)
    outcome = recipes[given.recipe](run)
    # Ended here, the processes that checked the exports count as a part of this run; see other_work.py.
    kept_processes(run.threads).close()
    print(json.dumps(asdict(replace(outcome, peak_mb=_peak_mb()))))


def _rehearse(recipe: Recipe, run: Run, make_rehearsal: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder).resolve()
        make_rehearsal(project)
        options = msgspec.structs.replace(run.options, epochs=1, time_budget=0)
        recipe(replace(run, project=project, options=options, quick=True))


def run_product(run: Run, train_type: str, train: Callable[..., TrainingResult], scores: Sequence[str]) -> Outcome:
    """Run TFModel's own trainer with its exports and their checks. scores: names in its metrics.json."""
    began_s = time.perf_counter()
    job = Job("0" * 32, 1, ProjectFolder.open(run.project), train_type, run.options, weights=run.weights)
    result = train(Attempt(job, SilentReporter(), run.cache_dir, run.threads))
    seconds = time.perf_counter() - began_s
    metrics: dict[str, Any] = json.loads((result.model_path.parent / "metrics.json").read_text(encoding="utf-8"))
    return Outcome(
        {name: metrics["final"][name] for name in scores},
        sorted(entry["file"] for entry in metrics["held_out"]),
        int(metrics["final"]["images"]),
        seconds,
        stage_seconds=result.stage_seconds,
    )


def _peak_mb() -> float:
    """The highest resident memory of this process. getrusage would include the parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(float(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
