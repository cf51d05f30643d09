"""When tasks will end, as long as their training cannot say so itself. Pure.

How long a task should run is planned from its trainType and its number of pictures. How wrong such plans are on this
machine is learned from the newest tasks that have ended, in two ways. For a task that starts at once, the running times
of its kind of task count. For a task that waits, the whole times of other tasks that waited count, from POST to end.
docs/choices.md, "Forecasts of waiting tasks", has the figures.
"""

from __future__ import annotations

import heapq
import math
import statistics
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeGuard, cast

from protocol.messages import Progress
from protocol.options import OPTIONS_BY_TRAIN_TYPE, PLANNED_SIZE_PX
from protocol.task import Task, TaskSpec, TaskState

#: A range leaves out this share of past ratios at each end. Eight in ten would allow a tenth, but tasks that ran one
#: after the other resemble each other more than they resemble the next ones.
LEFT_OUT = 0.05
#: Ratios are learned from at most this many of the newest tasks, and from no fewer than this many.
NEWEST_TASKS, LEAST_TASKS = 60, 9
#: The number of ended tasks that the broker's snapshot gives to a front-end that has just started. No more are used.
RECENT_TASKS = 1000
#: A task that started later than this after its POST has waited.
WAITED_S = 1.0
#: The number of pictures that is assumed while a folder has not been counted.
ASSUMED_PICTURES = 300
#: Real seconds by expected ones (low, median, high), assumed until enough tasks have ended. In a folder that has a
#: model, nearly everything may be known already.
UNKNOWN, UNKNOWN_AGAIN = (0.4, 1.0, 2.5), (0.03, 0.5, 2.0)


class End(NamedTuple):
    """When a task ends, in seconds since the epoch; between low and high about eight times in ten.

    start_at_s: when it starts or has started.
    """

    low_at_s: float
    middle_at_s: float
    high_at_s: float
    start_at_s: float


class Kind(NamedTuple):
    """Tasks that are compared with each other. again: the folder has a model; limited: by a timeBudget."""

    train_type: str
    again: bool
    limited: bool
    counted: bool


def forecast(
    entries: Sequence[tuple[Task, Progress | None]],
    workers: int,
    pictures: Mapping[str, int],
    now_s: float,
    last_tasks: Iterable[str] = (),
) -> dict[str, End]:
    """The ends by taskId, for the tasks that wait or have not yet said when they will end.

    entries: live tasks, and ended ones to learn from. workers: the number of those that take tasks; without any,
    waiting tasks have no forecast. pictures: the number of pictures by taskId, for folders that have been counted.
    now_s: seconds since the epoch. last_tasks: the taskIds of what further workers train that take no task after it.
    """
    said = {task.task_id: now_s + progress.eta_s for task, progress in entries if knows_its_end(progress)}
    past = _Past((task for task, _ in entries if task.ended), said, pictures)
    live = [task for task, _ in entries if not task.ended]
    running = [task for task in live if task.state is TaskState.PROCESSING]
    ends = {task.task_id: past.end_of_run(task, _began_at_s(task)) for task in running if task.task_id not in said}
    if workers:
        # A worker that takes no other task counts neither as one nor as busy.
        leaving = set(last_tasks)
        staying = [task for task in running if task.task_id not in leaving]
        late = past.lateness(staying, workers)
        waiting = (task for task in live if task.state is not TaskState.PROCESSING)
        for task, wait_s in past.waits([*staying, *waiting], workers, now_s):
            whole_s = wait_s + past.run_s(task)
            low, middle, high = late
            waited = End(
                now_s + low * whole_s, now_s + middle * whole_s, now_s + high * whole_s, now_s + middle * wait_s
            )
            ends[task.task_id] = waited if wait_s else past.end_of_run(task, now_s)
    return ends


def knows_its_end(progress: Progress | None) -> TypeGuard[Progress]:
    """Whether the training itself says how long it will take."""
    return progress is not None and progress.eta_s >= 0


def plan_s(spec: TaskSpec, pictures: int) -> float:
    """Seconds that a task should run; at most its time budget."""
    cost = OPTIONS_BY_TRAIN_TYPE[spec.train_type].planned_cost
    size = (cast(int, spec.options.get("imageSize", PLANNED_SIZE_PX)) / PLANNED_SIZE_PX) ** 2
    tiles = spec.options.get("tiles")  # "auto" decides when the worker has seen the masks
    if isinstance(tiles, int):
        size *= max(1, tiles)
    fixed_s = cost.fixed_s + (cost.few_s if pictures < cost.few_pictures else 0.0)
    return min(fixed_s + cost.s_per_picture * pictures * size, _budget_s(spec))


class _Past:
    """What ended tasks teach about others."""

    def __init__(self, ended: Iterable[Task], said: Mapping[str, float], pictures: Mapping[str, int]) -> None:
        """said: by taskId, the ends of the running tasks that know them, in seconds since the epoch."""
        self._ended = heapq.nlargest(RECENT_TASKS, ended, key=lambda task: task.ended_at_s)[::-1]
        self._ends_at_s = {**said, **{task.task_id: task.ended_at_s for task in self._ended}}
        self._pictures = pictures
        self._trained: set[tuple[str, str]] = set()
        self._kinds: dict[str, Kind] = {}
        self._ratios: defaultdict[Kind, deque[float]] = defaultdict(lambda: deque(maxlen=NEWEST_TASKS))
        for task in self._ended:
            kind = self._kinds[task.task_id] = self._kind(task)
            for known in {kind, kind._replace(counted=False)} if _ran_whole(task) else ():
                self._ratios[known].append((task.ended_at_s - task.started_at_s) / self._plan_s(task, known))
            if task.trained:
                self._trained.add((task.spec.project_path, task.spec.train_type))
        self._means = {kind: statistics.fmean(ratios) for kind, ratios in self._ratios.items()}
        self._ranges = {kind: _range(ratios, _unknown(kind)) for kind, ratios in self._ratios.items()}

    def end_of_run(self, task: Task, began_at_s: float) -> End:
        """When the task ends if it runs from began_at_s on."""
        kind = self._kind(task)
        planned_s = self._plan_s(task, kind)
        low, middle, high = self._ranges.get(kind) or _unknown(kind)
        low_s, middle_s, high_s = low * planned_s, middle * planned_s, high * planned_s
        return End(began_at_s + low_s, began_at_s + middle_s, began_at_s + high_s, began_at_s)

    def run_s(self, task: Task) -> float:
        """How long the task runs on average."""
        kind = self._kinds.get(task.task_id) or self._kind(task)
        return self._plan_s(task, kind) * self._means.get(kind, _unknown(kind)[1])

    def lateness(self, running: Sequence[Task], workers: int) -> tuple[float, float, float]:
        """Of the tasks that waited: their time from POST to end by the one expected at their POST."""
        waited = [task for task in self._ended if _ran_whole(task) and _waited(task)][-NEWEST_TASKS:]
        ratios = []
        for task in waited:
            at_s = task.submitted_at_s
            known = (other for other in (*self._ended, *running) if other.submitted_at_s <= at_s)
            live = [other for other in known if not other.ended or other.ended_at_s > at_s]
            wait_s = next(wait_s for other, wait_s in self.waits(live, workers, at_s) if other is task)
            ratios.append((task.ended_at_s - at_s) / (wait_s + self.run_s(task)))
        return _range(ratios, UNKNOWN)

    def waits(self, tasks: Collection[Task], workers: int, at_s: float) -> Iterator[tuple[Task, float]]:
        """The tasks that wait at at_s, in their order, and for how many seconds from then on.

        The next in line goes to the worker that is free first. The order is priority, then first come. The broker's own
        order is fair between users as well, but knowing it would hardly make the ranges narrower.
        """
        free_in_s, waiting = [0.0] * workers, []
        for task in tasks:
            if task.state is not TaskState.PENDING and 0.0 < task.started_at_s <= at_s:
                ends_at_s = self._ends_at_s.get(task.task_id) or _began_at_s(task) + self.run_s(task)
                heapq.heapreplace(free_in_s, free_in_s[0] + max(0.0, ends_at_s - at_s))
            else:
                waiting.append(task)
        for task in sorted(waiting, key=lambda task: (-task.spec.priority, task.submitted_at_s, task.task_id)):
            yield task, free_in_s[0]
            heapq.heapreplace(free_in_s, free_in_s[0] + self.run_s(task))

    def _kind(self, task: Task) -> Kind:
        again = (task.spec.project_path, task.spec.train_type) in self._trained
        return Kind(task.spec.train_type, again, _budget_s(task.spec) < math.inf, self._count(task) > 0)

    def _count(self, task: Task) -> int:
        return int(task.trained.metrics.get("images", 0)) if task.trained else self._pictures.get(task.task_id, 0)

    def _plan_s(self, task: Task, kind: Kind) -> float:
        return plan_s(task.spec, self._count(task) if kind.counted else ASSUMED_PICTURES)


def _unknown(kind: Kind) -> tuple[float, float, float]:
    return UNKNOWN_AGAIN if kind.again else UNKNOWN


def _range(past: Collection[float], unknown: tuple[float, float, float]) -> tuple[float, float, float]:
    """The quantiles of past ratios between which the next one should lie; `unknown` if they are too few."""
    if len(past) < LEAST_TASKS:
        return unknown
    ordered = sorted(past)
    left_out = max(0, math.floor((len(ordered) + 1) * LEFT_OUT) - 1)
    return ordered[left_out], statistics.median(ordered), ordered[-1 - left_out]


def _ran_whole(task: Task) -> bool:
    whole = task.trained is not None and not task.trained.stopped_early and task.attempt == 1
    return whole and task.ended_at_s > task.started_at_s


def _waited(task: Task) -> bool:
    return task.started_at_s - task.submitted_at_s > WAITED_S


def _began_at_s(task: Task) -> float:
    """When the current attempt of a running task began."""
    return task.ended_attempts[-1].at_s if task.ended_attempts else task.started_at_s


def _budget_s(spec: TaskSpec) -> float:
    return cast(int, spec.options.get("timeBudget", 0)) or math.inf
