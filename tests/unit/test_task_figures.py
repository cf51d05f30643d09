"""The figures about tasks follow the cache: through losses, snapshots and another journal, and never from strangers."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from protocol import messages as m
from protocol.data_report import DataReport
from protocol.errors import Failure, FailureClass
from protocol.task import AttemptEnd, Task, TaskState, Trained
from tests.sample_tasks import changed, make_spec
from web.broker_link.task_cache import TICKS_UNTIL_ANEW, TaskCache
from web.figures.task_figures import BROKER_RESTARTED, MOST_STAGES, OTHER, TaskFigures
from web.forecast.waiting_tasks import WaitingTasks

KIND = {"train_type": "classification"}


class Figures:
    """A cache whose changes are counted."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.figures = TaskFigures(self.registry)
        self.cache = TaskCache(10)
        self.cache.report_changes_to(self.figures.changed)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def live(self, state: TaskState) -> float | None:
        return self.value("tfmodel_tasks", state=state.value, **KIND)

    def ended(self, result: str, failure_class: str = "", code: str = "") -> float | None:
        labels = {"result": result, "failure_class": failure_class, "code": code}
        return self.value("tfmodel_tasks_ended_total", **labels, **KIND)

    def recoveries(self, cause: str) -> float | None:
        return self.value("tfmodel_recoveries_total", cause=cause)


def pending(task_id: str = "t1", at_s: float = 100.0) -> Task:
    return Task(make_spec(task_id), submitted_at_s=at_s)


def processing(task: Task) -> Task:
    return msgspec.structs.replace(task, state=TaskState.PROCESSING, thread="w1", started_at_s=task.submitted_at_s + 7)


def requeued(task: Task, code: str) -> Task:
    end = AttemptEnd(task.attempt, "w1", code, "It was lost.", 200.0)
    ends = (*task.ended_attempts, end)
    return msgspec.structs.replace(task, state=TaskState.PENDING, attempt=task.attempt + 1, ended_attempts=ends)


def done(task: Task, stage_seconds: dict[str, float]) -> Task:
    trained = Trained("/m", stage_seconds=stage_seconds, data=DataReport(pictures=50))
    return msgspec.structs.replace(task, state=TaskState.DONE, trained=trained, ended_at_s=task.started_at_s + 20)


def test_a_task_is_counted_in_one_state_at_a_time() -> None:
    f = Figures()
    for seq, (task, waiting, running) in enumerate(
        [(pending(), 1, 0), (processing(pending()), 0, 1), (done(processing(pending()), {}), 0, 0)], start=1
    ):
        f.cache.apply_change(changed(seq, task))
        assert (f.live(TaskState.PENDING), f.live(TaskState.PROCESSING)) == (waiting, running)
    assert f.ended("done") == 1
    assert f.value("tfmodel_task_wait_seconds_sum", **KIND) == 7
    assert f.value("tfmodel_task_duration_seconds_sum", **KIND) == 20


def test_stages_give_seconds_and_pictures() -> None:
    f = Figures()
    f.cache.put(processing(pending()), 1)
    f.cache.put(done(processing(pending()), {"features": 2.5, "train": 4.0}), 2)
    assert f.value("tfmodel_stage_duration_seconds_sum", stage="features", **KIND) == 2.5
    assert f.value("tfmodel_stage_images_total", stage="features", **KIND) == 50


def test_recoveries_are_counted_by_cause_also_when_publications_were_missed() -> None:
    f = Figures()
    f.cache.put(processing(pending()), 1)
    f.cache.put(requeued(processing(pending()), "worker_lost"), 2)
    assert f.recoveries("worker_lost") == 1
    second = processing(requeued(processing(pending()), "worker_lost"))
    f.cache.put(processing(requeued(requeued(second, "trainer_killed"), "out_of_memory")), 9)
    assert [f.recoveries(cause) for cause in ("worker_lost", "trainer_killed", "out_of_memory")] == [1, 1, 1]
    f.figures.broker_restarted()
    assert f.recoveries(BROKER_RESTARTED) == 1


def test_the_last_attempt_of_a_failed_task_is_an_end_and_no_recovery() -> None:
    f = Figures()
    running = processing(pending())
    f.cache.put(running, 1)
    end = AttemptEnd(1, "w1", "no_images", "There are none.", 200.0)
    failure = Failure("no_images", FailureClass.DATA, "There are none.")
    f.cache.put(msgspec.structs.replace(running, state=TaskState.FAILED, failure=failure, ended_attempts=(end,)), 2)
    assert f.ended("failed", "data", "no_images") == 1
    assert f.recoveries("no_images") == 0


def test_what_ended_before_this_front_end_knew_it_is_not_counted() -> None:
    """Otherwise each restart, and each look at an old task, would count its end again."""
    f = Figures()
    f.cache.apply_snapshot(m.SnapshotPart(1, 5, (done(processing(pending()), {"train": 1.0}),), (), True, True))
    f.cache.put(done(processing(pending("t2")), {"train": 1.0}), 3)
    assert f.ended("done") == 0


def test_live_tasks_that_the_broker_no_longer_has_leave_the_figures() -> None:
    f = Figures()
    f.cache.apply_snapshot(m.SnapshotPart(1, 5, (pending("t1"), pending("t2")), (), True, True))
    assert f.live(TaskState.PENDING) == 2
    f.cache.apply_snapshot(m.SnapshotPart(2, 6, (pending("t1"),), (), True, True))
    assert f.live(TaskState.PENDING) == 1
    for _ in range(TICKS_UNTIL_ANEW):
        f.cache.apply_tick(m.Tick(1, 0, 0, 0, 0))
    assert f.live(TaskState.PENDING) == 0
    assert f.value("tfmodel_oldest_pending_task_age_seconds") == 0


def test_no_peer_can_make_up_labels_without_end() -> None:
    f = Figures()
    strange = msgspec.structs.replace(pending(), spec=msgspec.structs.replace(make_spec("t1"), train_type="/etc/anna"))
    f.cache.put(processing(strange), 1)
    stages = {f"stage_{number}": 1.0 for number in range(100)}
    f.cache.put(requeued(processing(strange), "made_up"), 2)
    f.cache.put(done(processing(strange), stages), 3)
    series = [sample for metric in f.registry.collect() for sample in metric.samples]
    assert {sample.labels.get("train_type") for sample in series} <= {None, "classification", "segmentation", OTHER}
    assert len({sample.labels["stage"] for sample in series if "stage" in sample.labels}) == MOST_STAGES + 1
    assert f.recoveries(OTHER) == 1


Step = tuple[int, float | None]


@given(st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 9).map(float))), max_size=60))
def test_the_oldest_waiting_task_is_the_minimum_of_all(steps: list[Step]) -> None:
    waiting, model = WaitingTasks(), dict[str, float]()
    for number, at_s in steps:
        task_id = str(number)
        if at_s is None or task_id in model:
            waiting.remove(task_id)
            model.pop(task_id, None)
        else:
            waiting.add(task_id, at_s)
            model[task_id] = at_s
        assert waiting.first_submitted_at_s() == min(model.values(), default=None)


def test_one_task_that_waits_long_keeps_no_others_in_memory() -> None:
    waiting = WaitingTasks()
    waiting.add("first", 1.0)
    for number in range(10_000):
        waiting.add(str(number), 2.0 + number)
        waiting.remove(str(number))
    assert len(waiting._heap) <= 4
