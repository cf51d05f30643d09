"""How often a task ends inside the range that was forecast for it when it was posted, on simulated days.

    python -m benchmarks.eta_coverage                             ten days, each drawn from a seed of its own
    python -m benchmarks.eta_coverage --seeds 11 12 --days 3

Users post tasks of all sizes, one or many at once, and sometimes for folders that have been trained before. The
broker's real queue orders them for 1, 2 and 4 workers; at midday more is posted than these can do. How long a task runs
differs from its plan: the plan is wrong, the machine's speed drifts over hours, and each task has an error of its own.
web/forecast/eta.py forecasts with what the front-end would know at the time.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from broker.queue import WaitingTasks
from protocol.messages import Progress
from protocol.task import Task, TaskSpec, TaskState, Trained
from web.forecast.eta import RECENT_TASKS, End, forecast

TARGET = 0.8
#: Not those on which the constants of web/forecast/eta.py were chosen.
SEEDS = range(11, 21)
DAY_S = 86_400.0
USERS = 8
#: The share of the posted tasks that are forecast, to save time.
SAMPLED = 0.15
#: The share of folders that have been counted when the forecast is made.
COUNTED = 0.95
#: The share of the whole day in which the workers are busy, about; over the day the rate of tasks changes by SWING.
LOAD, SWING = 0.75, 0.5
MEAN_RUN_S, MEAN_BURST = 75.0, 3.0
SHARE_AGAIN, SHARE_LIMITED, SHARE_URGENT = 0.3, 0.1, 0.05
BUDGET_S = 60
#: A training says its own end after so many seconds, with an error of this deviation (of its logarithm).
SILENT_S, OWN_END_ERROR = 5.0, 0.15
#: By trainType: the real seconds whatever a task's size, and for a picture. The plan says otherwise.
REAL_COSTS_S = {"classification": (6.0, 0.025), "segmentation": (20.0, 0.35)}
#: Of the logarithm of the running time: the deviation of the drift and the time in which half of it is forgotten, and
#: the deviation of a single task.
DRIFT, DRIFT_HALF_LIFE_S, OWN_ERROR = 0.3, 7200.0, 0.2

Forecast = Callable[..., dict[str, End]]


class Held(NamedTuple):
    """Whether a task ended inside its range, whether it had to wait, and how many times `low` its `high` was."""

    inside: bool
    waited: bool
    width: float


@dataclass
class Day:
    """Everything that has happened so far. drift: logarithm of how slow the machine is. folders: their pictures."""

    workers: int
    chosen: random.Random
    now_s: float = 1e9
    drift: float = 0.0
    queue: WaitingTasks = field(default_factory=WaitingTasks)
    pending: dict[str, Task] = field(default_factory=dict)
    #: By taskId, with the time of the end and the factor by which the training is wrong about it.
    running: dict[str, tuple[Task, float, float]] = field(default_factory=dict)
    ended: deque[Task] = field(default_factory=lambda: deque(maxlen=RECENT_TASKS))
    counts: dict[str, int] = field(default_factory=dict)
    folders: dict[tuple[str, str], int] = field(default_factory=dict)
    trained: set[tuple[str, str]] = field(default_factory=set)
    forecasts: dict[str, tuple[End, bool]] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)

    def go_on(self, seconds: float) -> None:
        """Let time pass, and the speed drift."""
        kept = 0.5 ** (seconds / DRIFT_HALF_LIFE_S)
        self.drift = kept * self.drift + DRIFT * math.sqrt(1 - kept**2) * self.chosen.gauss(0.0, 1.0)
        self.now_s += seconds

    def known(self) -> list[tuple[Task, Progress | None]]:
        """The tasks as the front-end's cache has them."""
        found: list[tuple[Task, Progress | None]] = [(task, None) for task in (*self.ended, *self.pending.values())]
        for task, ends_at_s, error in self.running.values():
            eta_s = (ends_at_s - self.now_s) * error
            talks = self.now_s - task.started_at_s >= SILENT_S
            found.append((task, Progress(task.task_id, 1, 50.0, "train", eta_s) if talks else None))
        return found


def make_spec(day: Day, user: str, number: int) -> TaskSpec:
    chosen = day.chosen
    train_type = "classification" if chosen.random() < 0.7 else "segmentation"
    folders = [path for path, kind in day.folders if path.startswith(f"/{user}/") and kind == train_type]
    if folders and chosen.random() < SHARE_AGAIN:
        path = chosen.choice(folders)
    else:
        path = f"/{user}/{number}"
        day.folders[path, train_type] = max(10, min(5000, round(chosen.lognormvariate(math.log(250), 1.0))))
    options: dict[str, Any] = {"timeBudget": BUDGET_S} if chosen.random() < SHARE_LIMITED else {}
    priority = 5 if chosen.random() < SHARE_URGENT else 0
    return TaskSpec(f"{number:032x}", user, "p", path, path, train_type, options, priority)


def real_s(day: Day, task: Task) -> float:
    """Seconds that the task runs if it starts now."""
    folder = task.spec.project_path, task.spec.train_type
    fixed_s, s_per_picture = REAL_COSTS_S[task.spec.train_type]
    seconds = fixed_s + s_per_picture * day.folders[folder]
    if folder in day.trained:
        seconds *= day.chosen.uniform(0.15, 0.6)
    seconds *= math.exp(day.drift + day.chosen.gauss(0.0, OWN_ERROR))
    if "timeBudget" in task.spec.options:
        return min(seconds, BUDGET_S * day.chosen.uniform(0.8, 1.02))
    return seconds


def post(day: Day, user: str, number: int, make_forecast: Forecast) -> None:
    task = Task(make_spec(day, user, number), submitted_at_s=day.now_s)
    day.pending[task.task_id] = task
    day.queue.add(task)
    if day.chosen.random() < COUNTED:
        day.counts[task.task_id] = day.folders[task.spec.project_path, task.spec.train_type]
    if day.chosen.random() < SAMPLED:
        found = make_forecast(day.known(), day.workers, day.counts, day.now_s)[task.task_id]
        day.forecasts[task.task_id] = found, len(day.running) + len(day.pending) > day.workers


def start(day: Day) -> None:
    """Give the next tasks in the queue to the workers that are free."""
    while len(day.running) < day.workers and (task_id := day.queue.first(tuple(REAL_COSTS_S), {})):
        task = day.pending.pop(task_id)
        day.queue.start(task_id)
        started = msgspec.structs.replace(task, state=TaskState.PROCESSING, started_at_s=day.now_s)
        ends_at_s = day.now_s + real_s(day, task)
        day.running[task_id] = started, ends_at_s, day.chosen.lognormvariate(0.0, OWN_END_ERROR)


def end(day: Day, task_id: str) -> None:
    task, _, _ = day.running.pop(task_id)
    folder = task.spec.project_path, task.spec.train_type
    day.trained.add(folder)
    day.counts.pop(task_id, None)
    trained = Trained("/m", {"images": float(day.folders[folder])})
    day.ended.append(msgspec.structs.replace(task, state=TaskState.DONE, ended_at_s=day.now_s, trained=trained))
    if task_id in day.forecasts:
        found, waited = day.forecasts.pop(task_id)
        low_s, high_s = found.low_at_s - task.submitted_at_s, found.high_at_s - task.submitted_at_s
        day.held.append(Held(low_s <= day.now_s - task.submitted_at_s <= high_s, waited, high_s / max(1.0, low_s)))


def simulate(workers: int, days: float, seed: int, make_forecast: Forecast = forecast) -> Day:
    """make_forecast: another one instead of the front-end's, with the same arguments."""
    day = Day(workers, random.Random(seed))
    began_s = next_post_s = day.now_s
    burst_each_s = MEAN_BURST * MEAN_RUN_S / (LOAD * workers)
    number = 0
    while day.now_s < began_s + days * DAY_S:
        next_end_s, ending = min(
            ((ends_at_s, task_id) for task_id, (_, ends_at_s, _) in day.running.items()), default=(math.inf, "")
        )
        day.go_on(min(next_post_s, next_end_s) - day.now_s)
        if next_end_s <= next_post_s:
            end(day, ending)
        else:
            user = f"user{day.chosen.randrange(USERS)}"
            for _ in range(1 + int(day.chosen.expovariate(1 / (MEAN_BURST - 0.5)))):
                number += 1
                post(day, user, number, make_forecast)
            rate = 1 + SWING * math.sin(2 * math.pi * (day.now_s - began_s) / DAY_S)
            next_post_s = day.now_s + day.chosen.expovariate(rate / burst_each_s)
        start(day)
    return day


def share_held(held: Sequence[Held]) -> float:
    return statistics.fmean(row.inside for row in held)


def print_row(label: str, held: Sequence[Held]) -> None:
    width = statistics.median(row.width for row in held)
    print(f"{label}: {share_held(held):.2f} of {len(held)} tasks, median of high/low {width:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=1.0, help="simulated days of each seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), metavar="SEED")
    given = parser.parse_args()
    print(f"share of the tasks that ended inside the range given at their POST (target {TARGET})")
    for workers in (1, 2, 4):
        held = [row for seed in given.seeds for row in simulate(workers, given.days, seed).held]
        print_row(f"{workers} workers", held)
        print_row("  started at once", [row for row in held if not row.waited])
        print_row("  waited", [row for row in held if row.waited])


if __name__ == "__main__":
    main()
