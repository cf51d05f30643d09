"""How much sooner a training of a large folder is done with the help of a second worker (workers=2).

    python -m benchmarks.large_folder DATASET_DIR
    python -m benchmarks.large_folder DATASET_DIR --photos 5001 --rounds 2 --epochs 2

Each worker has one thread. In each round the same photos are trained alone, with a helper, and with a helper whose
process is killed in the middle of the features. All runs have folders of their own, on which nothing was computed
before. The photos are shifted cuts of those in DATASET_DIR, which has class folders and is not changed.

Targets: with a helper the stage of the features takes at most 1/1.7 of the time alone, its features are the same
bytes, and so is the model. On a busy machine look at the processor seconds: they say what help costs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from benchmarks.dataset_folder import dataset_folder
from benchmarks.machine import describe_machine
from benchmarks.service_processes import ServiceProcesses

TARGET_FACTOR = 1.7
READY_TIMEOUT_S, END_TIMEOUT_S = 180.0, 3600.0
POLL_S = 0.2
SIDE_PX = 256
#: A photo gives at most so many cuts.
MOST_CUTS = 40
ALONE, HELPED, KILLED = "alone", "helped", "helper killed"
HEADINGS = ("run", "features s", "whole s", "processor s", "helpers seen")
FORMAT = "{:<15}{:>12}{:>10}{:>13}{:>14}"


@dataclass(frozen=True)
class Outcome:
    """One training. features and model: hashes of the cached features and of the model file."""

    features_s: float
    whole_s: float
    processor_s: float
    helpers: int
    features: str
    model: str


def make_photos(source: Path, folder: Path, count: int) -> None:
    """Class folders with `count` different photos in all, cut from those of the source."""
    pictures = [path for path in sorted(source.rglob("*")) if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
    made = 0
    for cut in range(MOST_CUTS):
        for path in pictures:
            if made == count:
                return
            target = folder / "images" / path.parent.name
            target.mkdir(parents=True, exist_ok=True)
            with Image.open(path) as opened:
                opened.draft("RGB", (SIDE_PX + 2 * MOST_CUTS, SIDE_PX + 2 * MOST_CUTS))
                picture = opened.convert("RGB").resize((SIDE_PX + MOST_CUTS, SIDE_PX + MOST_CUTS))
            picture.crop((cut, cut, cut + SIDE_PX, cut + SIDE_PX)).save(target / f"{path.stem}-{cut}.jpg", quality=90)
            made += 1
    raise SystemExit(f"{source} gives only {made} photos; {count} are wanted.")


def copy_photos(source: Path, project: Path) -> None:
    """A project with the same photos, as further names of the same files."""
    for path in sorted(source.rglob("*.jpg")):
        target = project / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)


def train(service: ServiceProcesses, project: Path, epochs: int, run: str) -> Outcome:
    began_s = processor_s()
    task_id = service.post(project, workers=1 if run == ALONE else 2, epochs=epochs, exports="tflite")
    helpers, is_killed = 0, False
    give_up_at_s = time.monotonic() + END_TIMEOUT_S
    while (task := service.call("GET", f"/v1/tasks/{task_id}")[1])["state"] not in ("done", "failed"):
        helpers = max(helpers, task["helpers"])
        if run == KILLED and not is_killed and task["helpers"] and cached(project) > 0.25 * 2 * photos_in(project):
            busiest_process(service, helper_of(service, task_id)).kill()
            is_killed = True
        if time.monotonic() > give_up_at_s:
            raise RuntimeError(f"The task has not ended: {task}")
        time.sleep(POLL_S)
    if task["state"] != "done":
        raise RuntimeError(f"The task failed: {task}")
    return Outcome(
        task["stageSeconds"]["features"],
        seconds_between(task["startedAt"], task["endedAt"]),
        processor_s() - began_s,
        helpers,
        hash_of(sorted(project.glob(".tfmodel/features/*/*"))),
        hash_of([Path(task["modelPath"])]),
    )


def seconds_between(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def photos_in(project: Path) -> int:
    return sum(1 for _ in project.rglob("*.jpg"))


def cached(project: Path) -> int:
    return sum(1 for _ in project.glob(".tfmodel/features/*/*"))


def helper_of(service: ServiceProcesses, task_id: str) -> str:
    workers: list[dict[str, Any]] = service.call("GET", "/v1/workers")[1]["workers"]
    return next(str(worker["name"]) for worker in workers if worker["helping"] == task_id)


def busiest_process(service: ServiceProcesses, worker: str) -> psutil.Process:
    """The trainer process of that worker that works."""
    agent = next(process for process in psutil.Process().children() if process.cmdline()[-2:] == ["--name", worker])
    trainers = agent.children()
    before = [sum(process.cpu_times()[:2]) for process in trainers]
    time.sleep(0.5)
    used = [sum(process.cpu_times()[:2]) - was for process, was in zip(trainers, before, strict=True)]
    return trainers[used.index(max(used))]


def processor_s() -> float:
    """The processor seconds that all programs of the service have used so far, and those of their ended children."""
    return sum(sum(process.cpu_times()[:4]) for process in psutil.Process().children(recursive=True))


def hash_of(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def report(outcomes: dict[str, list[Outcome]]) -> None:
    alone, helped, killed = (outcomes[name] for name in (ALONE, HELPED, KILLED))
    for name, part in (("features", "features_s"), ("whole training", "whole_s")):
        factors = [getattr(one, part) / getattr(two, part) for one, two in zip(alone, helped, strict=True)]
        print(f"{name}: {statistics.median(factors):.2f} times as fast with a helper")
    factor = statistics.median(one.features_s / two.features_s for one, two in zip(alone, helped, strict=True))
    print(f"features at least {TARGET_FACTOR} times as fast: {'holds' if factor >= TARGET_FACTOR else 'MISSED'}")
    lost_s = [two.features_s - one.features_s for one, two in zip(helped, killed, strict=True)]
    print(f"a helper killed in the middle costs {statistics.median(lost_s):.1f} s of the features")
    everything = [outcome for of_run in outcomes.values() for outcome in of_run]
    print(f"the same features: {'yes' if len({outcome.features for outcome in everything}) == 1 else 'NO'}")
    print(f"the same model: {'yes' if len({outcome.model for outcome in everything}) == 1 else 'NO'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=dataset_folder, help="class folders")
    parser.add_argument("--photos", type=int, default=5001)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {
            "WORKER_CACHE_DIR": f"{name}/cache",
            "WORKER_THREADS": "1",
            "WORKER_TASKS_PER_PROCESS": "1000",
            "WORKER_SHARE_ABOVE_PICTURES": str(min(5000, arguments.photos - 1)),
        }
        service = ServiceProcesses(folder, **settings)
        make_photos(arguments.source, folder / "photos", arguments.photos)
        print(f"{describe_machine()}; {arguments.photos} photos, one thread for each worker")
        print(FORMAT.format(*HEADINGS))
        outcomes: dict[str, list[Outcome]] = {ALONE: [], HELPED: [], KILLED: []}
        with (
            service.program("broker", "-m", "broker"),
            service.program("web", "server.py", "run"),
            service.program("one", "-m", "trainer_worker", "--name", "one"),
            service.program("two", "-m", "trainer_worker", "--name", "two"),
        ):
            wait_for_workers(service, 2)
            for number in range(arguments.rounds):
                for run, found in outcomes.items():
                    project = service.projects / f"{run.replace(' ', '-')}-{number}"
                    copy_photos(folder / "photos", project)
                    outcome = train(service, project, arguments.epochs, run)
                    found.append(outcome)
                    values = (outcome.features_s, outcome.whole_s, outcome.processor_s)
                    print(FORMAT.format(run, *(f"{value:.1f}" for value in values), outcome.helpers), flush=True)
        report(outcomes)


def wait_for_workers(service: ServiceProcesses, count: int) -> None:
    service.wait_for("/readyz", "ready", READY_TIMEOUT_S)
    give_up_at_s = time.monotonic() + READY_TIMEOUT_S
    while sum(worker["ready"] for worker in service.call("GET", "/v1/workers")[1]["workers"]) < count:
        if time.monotonic() > give_up_at_s:
            raise RuntimeError(f"{count} workers should be ready")
        time.sleep(POLL_S)


if __name__ == "__main__":
    main()
