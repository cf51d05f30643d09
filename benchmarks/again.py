"""How long tasks of one folder take on a warm worker: the first, one after a few new photos, and an unchanged one.

    python -m benchmarks.again FLOWERS5_DIR                 1,100 photos
    python -m benchmarks.again FLOWERS5_DIR --per-class 20  the same with 100 photos

Tasks are posted and polled as a website does it, after a task of digits has warmed the worker up.

Targets: 100 photos take at most 15 s from POST to done. After a few more photos, training (the stages features and
train) takes at most 15 % of the first task's time, with the same accuracy. An unchanged folder is done at once. Exports
and their checks take the same time in each task.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.dataset_folder import dataset_folder
from benchmarks.machine import describe_machine
from benchmarks.service_processes import ServiceProcesses
from demo.digits_data import make_digits_project
from trainer_worker.classification.folders import scan_class_folders
from trainer_worker.pictures.user_files import UserFiles

READY_TIMEOUT_S = 90.0
END_TIMEOUT_S = 1800.0
POLL_S = 0.02
WARM_UP_IMAGES = 60


def lay_out(source: Path, project: Path, per_class: int, new: int) -> list[tuple[Path, Path]]:
    """Link all photos but `new` of them into the project. Returns the others with their paths in the project."""
    folders = scan_class_folders(UserFiles.at(source))
    taken = dict.fromkeys(range(len(folders.labels)), 0)
    pairs = []
    for path, label in zip(folders.files, folders.classes.tolist(), strict=True):
        if not per_class or taken[label] < per_class:
            pairs.append((path, project / "images" / folders.labels[label] / f"{taken[label]}_{path.name}"))
            taken[label] += 1
    random.Random(1).shuffle(pairs)
    for path, target in pairs[new:]:
        add_photo(path, target)
    return pairs[:new]


def add_photo(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(path.read_bytes())


def run_task(service: ServiceProcesses, project: Path) -> tuple[float, dict[str, Any]]:
    """Post a task. Returns the seconds until GET says done, and the task."""
    began_s = time.monotonic()
    task_id = service.post(project)
    while True:
        _, task = service.call("GET", f"/v1/tasks/{task_id}")
        took_s = time.monotonic() - began_s
        if task["state"] == "done":
            return took_s, task
        if task["state"] in ("failed", "cancelled") or took_s > END_TIMEOUT_S:
            raise RuntimeError(f"The task should be done: {task}")
        time.sleep(POLL_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=dataset_folder, help="class folders")
    parser.add_argument("--per-class", type=int, default=0, help="images of each class; 0: all")
    parser.add_argument("--new", type=int, default=11, help="photos that come later")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        service = ServiceProcesses(Path(folder), WORKER_CACHE_DIR=f"{folder}/cache")
        warm_up, project = service.projects / "digits", service.projects / "photos"
        make_digits_project(warm_up, WARM_UP_IMAGES)
        later = lay_out(arguments.source, project, arguments.per_class, arguments.new)
        print(describe_machine())
        with (
            service.program("broker", "-m", "broker"),
            service.program("web", "server.py", "run"),
            service.program("worker", "-m", "trainer_worker", "--name", "again"),
        ):
            service.wait_for("/readyz", "ready", READY_TIMEOUT_S)
            run_task(service, warm_up)
            first_training_s = report("the first task", *run_task(service, project))
            for path, target in later:
                add_photo(path, target)
            training_s = report(f"after {len(later)} more photos", *run_task(service, project))
            report("unchanged", *run_task(service, project))
            print(f"second training / first training {training_s / first_training_s:.2f}, target at most 0.15")


def report(name: str, took_s: float, task: dict[str, Any]) -> float:
    """Print a line for the task. Returns the seconds of training."""
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in task["stageSeconds"].items())
    accuracy, images = task["metrics"]["accuracy"], task["metrics"]["images"]
    print(f"{name:<22} {took_s:6.1f} s, accuracy {accuracy:.4f}, {images:.0f} images ({stages})", flush=True)
    return float(sum(task["stageSeconds"].get(stage, 0.0) for stage in ("features", "train")))


if __name__ == "__main__":
    main()
