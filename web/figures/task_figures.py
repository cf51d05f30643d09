"""What monitoring is told about tasks: how many wait and run, how they ended, and how long they took.

Each change of the task cache adds to the figures. A scrape therefore costs the same with one task and with 100,000.
"""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from protocol.errors import FAILURE_CODES
from protocol.options import OPTIONS_BY_TRAIN_TYPE
from protocol.task import ENDED_STATES, Task, TaskState
from web.forecast.waiting_tasks import WaitingTasks

#: A label's value that stands for all names which are not known here, so that no peer can make up new series.
OTHER = "other"
#: The codes of attempts that do not count.
HAND_BACKS = ("handed_back", "preempted")
BROKER_RESTARTED = "broker_restarted"
#: Stage names come from workers. Ours have a dozen.
MOST_STAGES = 30
STAGE_BUCKETS_S = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
TASK_BUCKETS_S = (1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 10_800, 43_200)


class TaskFigures:
    """Pass `changed` to TaskCache.report_changes_to."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._waiting = WaitingTasks()
        self._stages: set[str] = set()
        by_type = ["train_type"]
        self._live = Gauge(
            "tfmodel_tasks", "Tasks that have not ended, by state.", [*by_type, "state"], registry=registry
        )
        for train_type in OPTIONS_BY_TRAIN_TYPE:
            for state in set(TaskState) - ENDED_STATES:
                self._live.labels(train_type, state.value)
        Gauge(
            "tfmodel_oldest_pending_task_age_seconds",
            "Seconds since the submission of the task that waits longest; 0 if none waits.",
            registry=registry,
        ).set_function(self._oldest_pending_age_s)
        self._ended = _ended_counter(registry)
        self._recoveries = _recoveries_counter(registry)
        self._waits = _histogram("tfmodel_task_wait_seconds", "From the submission to the first start.", registry)
        self._durations = _histogram(
            "tfmodel_task_duration_seconds", "From the first start to the end, of finished tasks.", registry
        )
        self._stage_durations = Histogram(
            "tfmodel_stage_duration_seconds",
            "Seconds of each stage of finished tasks.",
            [*by_type, "stage"],
            buckets=STAGE_BUCKETS_S,
            registry=registry,
        )
        self._stage_images = Counter(
            "tfmodel_stage_images",
            "Pictures of the finished tasks that had this stage. Their rate, divided by the rate of "
            "tfmodel_stage_duration_seconds_sum, is the stage's pictures a second.",
            [*by_type, "stage"],
            registry=registry,
        )

    def changed(self, before: Task | None, after: Task | None) -> None:
        """Take over a change of the cache. before: None if the task is new there. after: None if it was dropped."""
        if before is not None and not before.ended:
            self._leave(before)
        if after is not None and not after.ended:
            self._enter(after)
        if before is None or before.ended or after is None:
            return  # What happened before this front-end knew the task is not counted.
        if before.state is TaskState.PENDING and before.attempt == 1 and after.started_at_s:
            self._waits.labels(_known(after)).observe(max(0.0, after.started_at_s - after.submitted_at_s))
        self._count_recoveries(before, after)
        if after.ended:
            self._count_end(after)

    def broker_restarted(self) -> None:
        self._recoveries.labels(BROKER_RESTARTED).inc()

    def _leave(self, task: Task) -> None:
        self._live.labels(_known(task), task.state.value).dec()
        self._waiting.remove(task.task_id)

    def _enter(self, task: Task) -> None:
        self._live.labels(_known(task), task.state.value).inc()
        if task.state is TaskState.PENDING:
            self._waiting.add(task.task_id, task.submitted_at_s)

    def _count_recoveries(self, before: Task, after: Task) -> None:
        """Count the attempts that have ended since. The last attempt of a failed task was not recovered from."""
        for end in after.ended_attempts:
            is_last = after.state is TaskState.FAILED and end.attempt == after.attempt
            if end.attempt >= before.attempt and not is_last:
                known = end.code in FAILURE_CODES or end.code in HAND_BACKS
                self._recoveries.labels(end.code if known else OTHER).inc()

    def _count_end(self, task: Task) -> None:
        failure_class, code = "", ""
        if task.state is TaskState.FAILED and task.failure is not None:
            failure_class = task.failure.failure_class.value
            code = task.failure.code if task.failure.code in FAILURE_CODES else OTHER
        self._ended.labels(_known(task), task.state.value, failure_class, code).inc()
        if task.trained is None:
            return
        self._durations.labels(_known(task)).observe(max(0.0, task.ended_at_s - task.started_at_s))
        for name, seconds in task.trained.stage_seconds.items():
            labels = _known(task), self._bounded_stage(name)
            self._stage_durations.labels(*labels).observe(max(0.0, seconds))
            self._stage_images.labels(*labels).inc(task.trained.data.pictures)

    def _bounded_stage(self, name: str) -> str:
        if len(self._stages) < MOST_STAGES:
            self._stages.add(name)
        return name if name in self._stages else OTHER

    def _oldest_pending_age_s(self) -> float:
        submitted_at_s = self._waiting.first_submitted_at_s()
        return max(0.0, time.time() - submitted_at_s) if submitted_at_s is not None else 0.0


def _ended_counter(registry: CollectorRegistry) -> Counter:
    """Its series exist from the start, because Prometheus cannot see an increase that creates a series."""
    ended = Counter(
        "tfmodel_tasks_ended",
        "Ended tasks. code and failure_class are empty unless the result is failed.",
        ["train_type", "result", "failure_class", "code"],
        registry=registry,
    )
    for train_type in OPTIONS_BY_TRAIN_TYPE:
        for state in (TaskState.DONE, TaskState.CANCELLED):
            ended.labels(train_type, state.value, "", "")
        for code, failure_class in FAILURE_CODES.items():
            ended.labels(train_type, TaskState.FAILED.value, failure_class.value, code)
    return ended


def _recoveries_counter(registry: CollectorRegistry) -> Counter:
    recoveries = Counter(
        "tfmodel_recoveries",
        "Attempts that ended before their task, which went back to the queue; and restarts of the broker.",
        ["cause"],
        registry=registry,
    )
    for cause in (*FAILURE_CODES, *HAND_BACKS, BROKER_RESTARTED):
        recoveries.labels(cause)
    return recoveries


def _histogram(name: str, text: str, registry: CollectorRegistry) -> Histogram:
    return Histogram(name, text, ["train_type"], buckets=TASK_BUCKETS_S, registry=registry)


def _known(task: Task) -> str:
    """The task's trainType, if this release has it: the journal may hold tasks of another one."""
    return task.spec.train_type if task.spec.train_type in OPTIONS_BY_TRAIN_TYPE else OTHER
