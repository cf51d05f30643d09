"""When a task with a timeBudget has its first model and when it ends, and whether the forecast ranges were right.

    python -m benchmarks.first_model DATASET_DIR --budgets 30,60,120
    python -m benchmarks.first_model DATASET_DIR --per-class 40    with 40 photos of each class
    python -m benchmarks.first_model NUCLEI_DIR --budgets 30,60    a project with masks: trainType=segmentation

Tasks are posted and polled as a website does it. Each budget has a folder of its own on which nothing was trained
before. Its task is posted while the warm worker still trains something else, so that it waits. Seconds count from its
start.

Targets: a first model, checked and marked as interim, exists after a quarter of the budget; the task ends within the
budget.

DATASET_DIR holds class folders, or images/ and masks/, and is not changed. The score is accuracy or Dice. A range of
the end is a "hit" if it held the real end. Two ranges are judged: the last one before the start, which includes the
wait, and the first one that the training itself gave.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.again import END_TIMEOUT_S, READY_TIMEOUT_S, WARM_UP_IMAGES, run_task
from benchmarks.dataset_folder import dataset_folder
from benchmarks.linked_folders import copy_class_folders
from benchmarks.machine import describe_machine
from benchmarks.segmentation_recipes import MASK_FOLDERS, copy_project
from benchmarks.service_processes import ServiceProcesses
from demo.digits_data import make_digits_project

TARGET_FIRST_SHARE, TARGET_END_SHARE = 0.25, 1.0
POLL_S = 0.02
ENDED = ("done", "failed", "cancelled")
SCORES = {"classification": "accuracy", "segmentation": "dice"}

Range = tuple[float, float]


@dataclass
class Outcome:
    """One task. Times and ranges are monotonic seconds, None for what never came. score_name: a key of its metrics."""

    budget_s: int
    score_name: str = "accuracy"
    started_at_s: float | None = None
    first_at_s: float | None = None
    ended_at_s: float = 0.0
    range_before: Range | None = None
    range_after: Range | None = None
    first_score: float | None = None
    score: float = 0.0
    end_reason: str = ""

    def look(self, task: dict[str, Any], now_s: float) -> None:
        """Record what this answer about a live task shows."""
        shown = task["etaRangeSeconds"]
        found = (now_s + shown[0], now_s + shown[1]) if shown else None
        if task["state"] == "pending":
            self.range_before = found or self.range_before
            return
        self.started_at_s = self.started_at_s or now_s
        if self.range_after is None and task["phase"] not in ("", "starting"):
            self.range_after = found
        if self.first_at_s is None and "modelPath" in task:
            manifest = json.loads((Path(task["modelPath"]).parent / "manifest.json").read_text())
            if manifest["interim"]:
                self.first_at_s, self.first_score = now_s, manifest["metrics"][self.score_name]

    def seconds_to(self, at_s: float | None) -> float | None:
        """Seconds from the start to that time."""
        return None if at_s is None or self.started_at_s is None else at_s - self.started_at_s

    def row(self) -> str:
        first_s, end_s = self.seconds_to(self.first_at_s), self.seconds_to(self.ended_at_s)
        cells = (
            f"{self.budget_s}",
            _number(first_s, ".1f"),
            _number(first_s and first_s / self.budget_s, ".2f"),
            _number(self.first_score, ".3f"),
            _number(end_s, ".1f"),
            _number(end_s and end_s / self.budget_s, ".2f"),
            f"{self.score:.3f}",
            self.end_reason,
            self._hit(self.range_before),
            self._hit(self.range_after),
        )
        return "".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True))

    def _hit(self, found: Range | None) -> str:
        """The range in seconds since the start, and whether the end lay in it."""
        if found is None or self.started_at_s is None:
            return "none given"
        low_at_s, high_at_s = found
        word = "hit" if low_at_s <= self.ended_at_s <= high_at_s else "miss"
        return f"{word} {low_at_s - self.started_at_s:.0f} to {high_at_s - self.started_at_s:.0f}"


HEADINGS = ("budget s", "first s", "share", "score", "end s", "share", "score", "ended by", "before", "after")
WIDTHS = (8, 9, 7, 10, 9, 7, 10, 11, 16, 16)


def _number(value: float | None, form: str) -> str:
    return "none" if value is None else format(value, form)


def target_lines(outcomes: list[Outcome]) -> list[str]:
    """A line for each budget that missed a target."""
    lines = []
    for name, at, target in (
        ("first model", "first_at_s", TARGET_FIRST_SHARE),
        ("end", "ended_at_s", TARGET_END_SHARE),
    ):
        late = [
            str(outcome.budget_s)
            for outcome in outcomes
            if (took_s := outcome.seconds_to(getattr(outcome, at))) is None or took_s > target * outcome.budget_s
        ]
        verdict = f"MISSED with budgets {', '.join(late)}" if late else "holds"
        lines.append(f"{name} at most at {target:.2f} of the budget: {verdict}")
    return lines


def follow(service: ServiceProcesses, task_id: str, budget_s: int, score_name: str) -> Outcome:
    """Poll the task until it is done. Raises RuntimeError if it ends in another way."""
    outcome = Outcome(budget_s, score_name)
    give_up_at_s = time.monotonic() + END_TIMEOUT_S
    while (task := service.call("GET", f"/v1/tasks/{task_id}")[1])["state"] not in ENDED:
        outcome.look(task, time.monotonic())
        if time.monotonic() > give_up_at_s:
            break
        time.sleep(POLL_S)
    outcome.ended_at_s = time.monotonic()
    if task["state"] != "done":
        raise RuntimeError(f"The task should be done: {task}")
    outcome.end_reason, outcome.score = task["endReason"], task["metrics"][score_name]
    return outcome


def train_type_of(source: Path) -> str:
    return "segmentation" if any((source / name).is_dir() for name in MASK_FOLDERS) else "classification"


def lay_out(source: Path, project: Path, per_class: int) -> None:
    if train_type_of(source) == "classification":
        copy_class_folders(source, project, per_class)
    else:
        copy_project(source, project)


def measure(service: ServiceProcesses, source: Path, per_class: int, budgets: list[int]) -> list[Outcome]:
    """Run each budget and print a row for it."""
    before = service.projects / "digits"
    make_digits_project(before, WARM_UP_IMAGES)
    run_task(service, before)
    print("".join(f"{heading:>{width}}" for heading, width in zip(HEADINGS, WIDTHS, strict=True)))
    outcomes = []
    for number, budget_s in enumerate(budgets):
        project = service.projects / f"photos{number}"
        lay_out(source, project, per_class)
        service.post(before, seed=2 + number)  # With another seed, or the finished model would be reused.
        train_type = train_type_of(source)
        task_id = service.post(project, trainType=train_type, timeBudget=budget_s)
        outcomes.append(follow(service, task_id, budget_s, SCORES[train_type]))
        print(outcomes[-1].row(), flush=True)
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=dataset_folder, help="class folders, or images/ and masks/")
    parser.add_argument("--budgets", default="30,60,120", help="seconds, separated by commas")
    parser.add_argument("--per-class", type=int, default=0, help="images of each class; 0: all")
    parser.add_argument("--threads", type=int, default=0, help="of the worker; 0: all cores")
    arguments = parser.parse_args()
    if arguments.per_class and train_type_of(arguments.source) == "segmentation":
        parser.error("--per-class is for class folders")
    budgets = [int(budget) for budget in arguments.budgets.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        settings = {"WORKER_CACHE_DIR": f"{folder}/cache", "WORKER_THREADS": str(arguments.threads)}
        service = ServiceProcesses(Path(folder), **settings)
        print(describe_machine())
        with (
            service.program("broker", "-m", "broker"),
            service.program("web", "server.py", "run"),
            service.program("worker", "-m", "trainer_worker", "--name", "first-model"),
        ):
            service.wait_for("/readyz", "ready", READY_TIMEOUT_S)
            outcomes = measure(service, arguments.source, arguments.per_class, budgets)
    print("\n".join(target_lines(outcomes)))


if __name__ == "__main__":
    main()
