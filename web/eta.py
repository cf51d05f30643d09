"""When a task will end before its trainer can say so: waiting for a worker, then running. Pure.

Running is planned from the number of pictures. By how much such plans are off now is what the newest finished tasks of
the same kind took; how far that was from what came next gives the range: quantiles of past errors of forecasts, as in
split conformal prediction (Papadopoulos et al. 2002), within one kind of tasks only (Mondrian conformal prediction,
Vovk et al. 2005). trainer_worker/training/pace.py does the like inside a training, with a better plan.

Waiting is a sum over the tasks ahead: their means add up, and the variances of their own errors. The error that they
share (a machine that is busier than before) grows with their number and not with its root. It is what is left of past
errors when that part is taken out in which neighbours in time differ (von Neumann 1941).

The queue's order is that of broker/queue.py as far as tasks tell: a user with a running task stands one turn back,
limits per user are not known here, and nobody can know who will still come and go first.
"""

from __future__ import annotations

import heapq
import itertools
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeGuard, cast

from protocol.messages import Progress
from protocol.task import Task, TaskSpec, TaskState

#: The share of tasks that are to end inside their range.
COVERAGE = 0.8
#: So many deviations to each side of a normal distribution's middle hold that share.
DEVIATIONS = statistics.NormalDist().inv_cdf((1 + COVERAGE) / 2)
#: Past errors that are needed: of nine, the least and the greatest hold 8 in 10 of the next.
LEAST_ERRORS = 9
#: Of the newest tasks, so many are looked at.
MOST_TASKS = 40
#: So many of the newest say how fast the machine is now.
LEVEL_TASKS = 8
#: As many ended tasks are looked at as the broker's snapshot gives to a front-end that has just started.
RECENT_TASKS = 1000

#: A plan: what a task costs whatever its size (exports above all), in pictures, and seconds for a picture at 224 px on
#: two cores. The ratios make good what is wrong with the latter.
FIXED_PICTURES = 150
S_PER_PICTURE = {"classification": 0.03, "segmentation": 0.16}
#: For a trainType that the table does not name; measured ratios soon correct it.
ASSUMED_S_PER_PICTURE = 0.1
PLANNED_SIZE_PX = 224
#: Where the folder could not be counted.
ASSUMED_PICTURES = 300
#: Ratios (low, middle, high) for the time before enough tasks of a kind have ended.
UNKNOWN = (0.4, 1.0, 2.5)
#: Where something was trained in the folder before, what is known of its pictures may save nearly everything.
UNKNOWN_AGAIN = (0.03, 0.5, 2.0)
UNKNOWN_UNCOUNTED = (0.2, 1.0, 5.0)
#: A task with a time budget should not take longer than this share of it.
WITHIN_BUDGET = 1.1


class Kind(NamedTuple):
    """Tasks that are compared with each other. again: the folder has a model; limited: by a timeBudget."""

    train_type: str
    again: bool
    limited: bool
    counted: bool


class Pace(NamedTuple):
    """Of one kind, real seconds by planned ones: low and high hold COVERAGE of them.

    The variance of a task's own error, and of the one that the next tasks of its kind share.
    """

    low: float
    middle: float
    high: float
    mean: float
    own_variance: float
    shared_variance: float
    is_learned: bool

    @property
    def deviation(self) -> float:
        return math.sqrt(self.own_variance + self.shared_variance)


class End(NamedTuple):
    """When a task ends, in seconds since the epoch; between low and high about eight times in ten."""

    low_at_s: float
    middle_at_s: float
    high_at_s: float


class Past(NamedTuple):
    """A finished task. ratio: real seconds by planned ones."""

    submitted_at_s: float
    ended_at_s: float
    ratio: float


class Run(NamedTuple):
    """A task's running time: what was planned, and how long such tasks take by plan."""

    kind: Kind
    planned_s: float
    pace: Pace

    @property
    def mean_s(self) -> float:
        return self.planned_s * self.pace.mean


class History:
    """What the finished tasks teach."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        """tasks: ended ones, in any order. Only whole runs of one attempt count."""
        self._past: defaultdict[Kind, list[Past]] = defaultdict(list)
        self._folders: set[tuple[str, str]] = set()
        self._paces: dict[Kind, Pace] = {}
        done = (task for task in tasks if task.state is TaskState.DONE)
        for task in heapq.nsmallest(RECENT_TASKS, done, key=lambda task: -task.ended_at_s)[::-1]:
            self._add(task)

    def run(self, spec: TaskSpec, pictures: int | None) -> Run:
        """pictures: in the folder, None when unknown."""
        kind = self._kind(spec, pictures)
        if kind not in self._paces:
            self._paces[kind] = learned(self._past[kind][-MOST_TASKS:]) or assumed(kind)
        planned_s, pace = plan_s(spec, pictures), self._paces[kind]
        if kind.limited and not pace.is_learned:
            most = WITHIN_BUDGET * _budget_s(spec) / planned_s
            pace = pace._replace(high=max(pace.middle, min(pace.high, most)))
        return Run(kind, planned_s, pace)

    def _add(self, task: Task) -> None:
        spec, trained = task.spec, task.trained
        took_s = task.ended_at_s - task.started_at_s
        if trained is not None and not trained.stopped_early and task.attempt == 1 and took_s > 0:
            pictures = int(trained.metrics.get("images", 0)) or None
            for known in {pictures, None}:
                ratio = took_s / plan_s(spec, known)
                self._past[self._kind(spec, known)].append(Past(task.submitted_at_s, task.ended_at_s, ratio))
        self._folders.add((spec.project_path, spec.train_type))

    def _kind(self, spec: TaskSpec, pictures: int | None) -> Kind:
        again = (spec.project_path, spec.train_type) in self._folders
        return Kind(spec.train_type, again, _budget_s(spec) > 0, pictures is not None)


def learned(past: Sequence[Past]) -> Pace | None:
    """From tasks of one kind, in the order in which they ended; None when they are too few."""
    errors = past_errors(past)
    if len(errors) < LEAST_ERRORS:
        return None
    level = _level(past)
    ordered, outside = sorted(errors), (1 - COVERAGE) / 2
    low = ordered[max(0, math.floor((len(ordered) + 1) * outside) - 1)]
    high = ordered[min(len(ordered), math.ceil((len(ordered) + 1) * (1 - outside))) - 1]
    variance = statistics.fmean((error - 1.0) ** 2 for error in errors)
    own = min(variance, statistics.fmean((a - b) ** 2 for a, b in itertools.pairwise(errors)) / 2)
    middle, squared = statistics.median(errors), level**2
    return Pace(level * low, level * middle, level * high, level, squared * own, squared * (variance - own), True)


def past_errors(past: Sequence[Past]) -> list[float]:
    """What each task took by what would have been said of it when it was posted.

    That is by the tasks that had ended then; of many that were posted at once, by those that ended before it.
    """
    errors = []
    for index, task in enumerate(past[1:], 1):
        known = [earlier for earlier in past[:index] if earlier.ended_at_s <= task.submitted_at_s] or past[:index]
        errors.append(task.ratio / _level(known))
    return errors


def _level(past: Sequence[Past]) -> float:
    """How fast the machine is after these tasks."""
    return statistics.fmean(task.ratio for task in past[-LEVEL_TASKS:])


def assumed(kind: Kind) -> Pace:
    """For a kind of which too few tasks have ended: all of them may be wrong by the same."""
    low, middle, high = UNKNOWN_AGAIN if kind.again else UNKNOWN if kind.counted else UNKNOWN_UNCOUNTED
    return Pace(low, middle, high, middle, 0.0, ((high - low) / (2 * DEVIATIONS)) ** 2, False)


def plan_s(spec: TaskSpec, pictures: int | None) -> float:
    """Seconds that the task should run; never more than its time budget."""
    side_px = cast(int, spec.options.get("imageSize", PLANNED_SIZE_PX))
    size = (side_px / PLANNED_SIZE_PX) ** 2
    number = ASSUMED_PICTURES if pictures is None else pictures
    s_per_picture = S_PER_PICTURE.get(spec.train_type, ASSUMED_S_PER_PICTURE)
    planned_s = s_per_picture * (FIXED_PICTURES + number * size)
    return min(planned_s, _budget_s(spec) or math.inf)


def forecast(
    tasks: Iterable[tuple[Task, Progress | None]], workers: int, pictures: Mapping[str, int], now_s: float
) -> dict[str, End]:
    """By taskId, for the tasks that wait or have not yet said when they will end.

    tasks: ended ones (to learn from) and live ones. workers: registered; without any, nothing is said of waiting tasks.
    pictures: of tasks whose folders have been counted. now_s: seconds since the epoch.
    """
    known = list(tasks)
    history = History(task for task, _ in known if task.ended)
    queue, ends = _Queue(workers), {}
    for task, progress in known:
        if task.state is not TaskState.PROCESSING:
            continue
        if knows_its_end(progress):
            queue.occupy(progress.eta_s, (progress.eta_high_s - progress.eta_low_s) / (2 * DEVIATIONS))
            continue
        run = history.run(task.spec, pictures.get(task.task_id))
        began_s = task.ended_attempts[-1].at_s if task.ended_attempts else task.started_at_s
        queue.occupy(max(0.0, began_s + run.mean_s - now_s), run.planned_s * run.pace.deviation)
        ends[task.task_id] = _end(run, began_s, 0.0)
    if workers:
        for task in in_order(task for task, _ in known):
            run = history.run(task.spec, pictures.get(task.task_id))
            ends[task.task_id] = _end(run, now_s + queue.wait_s, queue.variance_before(run))
            queue.add(run)
    return ends


def knows_its_end(progress: Progress | None) -> TypeGuard[Progress]:
    """Whether the training itself says how long it will take."""
    return progress is not None and progress.eta_s >= 0


def in_order(tasks: Iterable[Task]) -> list[Task]:
    """The pending ones as they should start."""
    live = sorted((task for task in tasks if not task.ended), key=lambda task: (task.submitted_at_s, task.task_id))
    turns = Counter({task.spec.user_id: 1 for task in live if task.state is TaskState.PROCESSING})
    places: dict[str, tuple[int, int, int]] = {}
    for arrival, task in enumerate(live, 1):
        user_id, first = task.spec.user_id, -task.spec.priority
        if task.attempt > 1:  # It came back from a lost worker and has waited before.
            places[task.task_id] = first, 0, 0
        elif task.state is TaskState.PENDING:
            places[task.task_id] = first, turns[user_id], arrival
            turns[user_id] += 1
    return sorted((t for t in live if t.state is TaskState.PENDING), key=lambda task: places[task.task_id])


class _Queue:
    """How long the next in line waits. Each task goes to the worker that is free first, by mean running times."""

    def __init__(self, workers: int) -> None:
        self._free_in_s = [0.0] * max(1, workers)
        self._workers = len(self._free_in_s)
        #: Seconds squared: what the running tasks leave open.
        self._variance = 0.0
        #: By kind: its pace, and of the tasks in line planned seconds and their squares, added up.
        self._in_line: dict[Kind, tuple[Pace, float, float]] = {}

    @property
    def wait_s(self) -> float:
        return self._free_in_s[0]

    def variance_before(self, run: Run) -> float:
        """Seconds squared that the wait adds to those of the run itself; 0.0 while a worker is free.

        The workers share the work, so each task ahead counts with its share.
        """
        if not self.wait_s:
            return 0.0
        variance = self._variance / self._workers**2
        for kind, (pace, planned_s, squares) in self._in_line.items():
            ahead_s, own_s = planned_s / self._workers, run.planned_s if kind == run.kind else 0.0
            variance += pace.own_variance * squares / self._workers**2
            variance += pace.shared_variance * ahead_s * (ahead_s + 2 * own_s)
        return variance

    def occupy(self, left_s: float, deviation_s: float) -> None:
        """A worker is busy for so long."""
        heapq.heapreplace(self._free_in_s, self._free_in_s[0] + left_s)
        self._variance += deviation_s**2

    def add(self, run: Run) -> None:
        heapq.heapreplace(self._free_in_s, self.wait_s + run.mean_s)
        _, planned_s, squares = self._in_line.get(run.kind, (run.pace, 0.0, 0.0))
        self._in_line[run.kind] = run.pace, planned_s + run.planned_s, squares + run.planned_s**2


def _end(run: Run, starts_at_s: float, variance: float) -> End:
    """variance: what the wait leaves open, in seconds squared; it adds to the run's own."""
    low, middle, high = (run.planned_s * factor for factor in run.pace[:3])
    middle_at_s, open_s = starts_at_s + middle, DEVIATIONS * math.sqrt(variance)
    return End(
        middle_at_s - math.hypot(middle - low, open_s), middle_at_s, middle_at_s + math.hypot(high - middle, open_s)
    )


def _budget_s(spec: TaskSpec) -> int:
    return cast(int, spec.options.get("timeBudget", 0))
