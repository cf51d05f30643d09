"""What callers see: the eight fields with their types, and no more than they may know."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest

from protocol.artifact import UsableModel
from protocol.comparison import Comparison
from protocol.data_report import DataReport, Severity, finding
from protocol.errors import Failure, FailureClass
from protocol.messages import PoolInfo, Progress, Tick, WorkerInfo, Workers
from protocol.task import ENDED_STATES, AttemptEnd, Task, TaskState, Trained
from tests.sample_tasks import hex_id, make_artifact, make_spec
from web.answers.task_views import check_view, task_view
from web.answers.views import brief_view, readiness_view, workers_view
from web.broker_link.task_cache import Entry
from web.forecast.eta import End


def full_view(task: Task, progress: Progress | None, end: End | None = None, now_s: float = 0.0) -> dict[str, Any]:
    """The JSON of all fields."""
    view: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(task_view(Entry(7, task, progress), end, now_s)))
    return view


EIGHT = {"taskId", "progress", "thread", "state", "userId", "projectId", "projectDir", "trainType"}
FAILURE = Failure("no_images", FailureClass.DATA, "There are no images.", trace="line 12, in secret")


def test_every_state_shows_the_eight_fields_with_their_types() -> None:
    for state in TaskState:
        view = brief_view(Task(make_spec(), state), None)
        assert view.keys() == EIGHT | ({"warnings", "skippedFiles"} if state in ENDED_STATES else set())
        assert isinstance(view["progress"], float)
        assert all(isinstance(view[name], str) for name in EIGHT - {"progress"})


def test_a_done_task_adds_the_model_and_shows_one_hundred() -> None:
    done = Task(make_spec(), TaskState.DONE, progress=100.0, trained=Trained("/p/models/t1/model.tflite"))
    view = brief_view(done, Progress("t1", 1, 99.0))
    assert (view["modelPath"], view["progress"]) == ("/p/models/t1/model.tflite", 100.0)


def test_a_task_with_a_usable_model_names_it_until_its_end() -> None:
    usable = UsableModel("/p/models/t1/model.tflite", make_artifact())
    for state in (TaskState.PROCESSING, TaskState.PENDING):  # pending again: its worker was lost, its model is there
        assert brief_view(Task(make_spec(), state, usable=usable), None)["modelPath"] == "/p/models/t1/model.tflite"
    for state in (TaskState.FAILED, TaskState.CANCELLED):
        assert "modelPath" not in brief_view(Task(make_spec(), state, usable=usable), None)


def test_a_failed_task_adds_error_and_code_and_never_the_trace() -> None:
    failed = Task(
        make_spec(),
        TaskState.FAILED,
        failure=FAILURE,
        ended_attempts=(AttemptEnd(1, "w1", "no_images", "There are no images.", 1.0),),
    )
    view = brief_view(failed, None)
    assert (view["error"], view["code"]) == ("There are no images.", "no_images")
    for body in (view, full_view(failed, None)):
        assert "secret" not in json.dumps(body)


def test_progress_in_flight_is_shown_while_processing_only() -> None:
    progress = Progress("t1", 1, 40, "training", 12.0, 2, {"loss": 0.5})
    assert brief_view(Task(make_spec(), TaskState.PROCESSING), progress)["progress"] == 40.0
    assert isinstance(brief_view(Task(make_spec(), TaskState.PROCESSING), progress)["progress"], float)
    assert brief_view(Task(make_spec(), TaskState.CANCELLED, progress=39.0), progress)["progress"] == 39.0


def test_the_whole_task_tells_times_in_utc_and_null_for_not_yet() -> None:
    view = full_view(Task(make_spec(), submitted_at_s=0.5), None)
    assert view["submittedAt"] == "1970-01-01T00:00:00.500+00:00"
    assert view["startedAt"] is None
    assert view["endedAt"] is None


def test_the_whole_task_tells_where_the_training_is() -> None:
    progress = Progress("t1", 1, 40.0, "training", 12.0, 2, {"loss": 0.5})
    view = full_view(Task(make_spec(), TaskState.PROCESSING), progress)
    assert (view["phase"], view["epoch"], view["etaSeconds"], view["metrics"]) == ("training", 2, 12.0, {"loss": 0.5})
    assert full_view(Task(make_spec()), None)["etaSeconds"] is None
    unknown = full_view(Task(make_spec(), TaskState.PROCESSING), Progress("t1", 1, 1.0))
    assert unknown["etaSeconds"] is None


def test_the_forecast_is_shown_until_the_training_says_more_and_never_when_it_has_passed() -> None:
    end, waiting = End(100.0, 150.04, 200.0, 90.0), Task(make_spec())
    view = full_view(waiting, None, end, 120.0)
    assert (view["etaSeconds"], view["etaRangeSeconds"]) == (30.0, [0.0, 80.0])
    starting = full_view(Task(make_spec(), TaskState.PROCESSING), Progress("t1", 1, 0.0), end, 90.0)
    assert (starting["etaSeconds"], starting["etaRangeSeconds"]) == (60.0, [10.0, 110.0])
    progress = Progress("t1", 1, 40.0, "training", 12.0, eta_low_s=9.0, eta_high_s=20.0)
    trained = full_view(Task(make_spec(), TaskState.PROCESSING), progress, end, 120.0)
    assert (trained["etaSeconds"], trained["etaRangeSeconds"]) == (12.0, [9.0, 20.0])
    passed = full_view(waiting, None, end, 200.0)
    assert (passed["etaSeconds"], passed["etaRangeSeconds"]) == (None, None)


def test_no_answer_holds_a_bare_nan() -> None:
    progress = Progress("t1", 1, 40.0, metrics={"loss": math.nan})
    body = msgspec.json.encode(full_view(Task(make_spec(), TaskState.PROCESSING), progress))
    assert b"NaN" not in body
    assert json.loads(body)["metrics"]["loss"] is None


def test_a_workers_task_is_shown_to_those_who_may_know_of_it() -> None:
    workers = Workers(1, (WorkerInfo("w1", "here", True, "t1", ()), WorkerInfo("w2", "there", False, "", ())))
    hidden, shown = (workers_view(workers, seen, True) for seen in (lambda _: False, lambda _: True))
    assert [(worker.name, worker.ready, worker.task_id) for worker in hidden.workers] == [
        ("w1", True, ""),
        ("w2", False, ""),
    ]
    assert [worker.task_id for worker in shown.workers] == ["t1", ""]


@pytest.mark.parametrize(
    ("ready", "holds", "draining", "state"),
    [
        (False, "", False, "starting"),
        (True, "", False, "free"),
        (False, "t1", False, "training"),
        (False, "t1", True, "draining"),
        (False, "", True, "draining"),
    ],
)
def test_a_worker_has_one_state(ready: bool, holds: str, draining: bool, state: str) -> None:
    info = WorkerInfo("w1", "here", ready, holds, (), draining)
    assert workers_view(Workers(1, (info,)), lambda _: True, True).workers[0].state == state


READY = Tick(seq=9, workers=3, warm=2, free=1, pending=0)


def test_a_ready_service_says_so_with_its_counts() -> None:
    counts = {"workers": 3, "warmWorkers": 2, "freeWorkers": 1, "pendingTasks": 0}
    assert msgspec.to_builtins(readiness_view(READY, True, 0.0, [])) == {"ready": True, **counts}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_cluster_that_may_start_a_worker_is_ready(workers: int) -> None:
    """A probe must not take the front-end away while the cluster has scaled to zero, or back from it."""
    tick = Tick(9, workers, 0, 0, 1, draining=workers, pools=(PoolInfo("cpu", max_workers=3),))
    assert readiness_view(tick, True, 0.0, []).ready
    none = msgspec.structs.replace(tick, pools=(PoolInfo("cpu", max_workers=0),))
    assert not readiness_view(none, True, 0.0, []).ready


@pytest.mark.parametrize(
    ("tick", "missing"),
    [
        (Tick(9, 2, 1, 0, 0, draining=1, last_tasks=("t1",)), "all workers are draining, so they take no new task"),
        (Tick(9, 2, 2, 0, 0, last_tasks=("t1", "t2")), "all workers are draining, so they take no new task"),
        (Tick(9, 2, 1, 0, 0, last_tasks=("t1",)), "no worker has loaded TensorFlow yet"),
    ],
)
def test_workers_that_end_after_their_task_make_no_service_ready(tick: Tick, missing: str) -> None:
    """A load balancer sends tasks to a service that is ready, and these workers would never start them."""
    view = readiness_view(tick, True, 0.0, [])
    assert (view.ready, view.error) == (False, f"No task could be trained now: {missing}.")
    pooled = msgspec.structs.replace(tick, pools=(PoolInfo("cpu", max_workers=3),))
    assert readiness_view(pooled, True, 0.0, []).ready


def test_a_busy_worker_that_takes_tasks_again_makes_the_service_ready() -> None:
    assert readiness_view(Tick(9, 2, 2, 0, 0, last_tasks=("t1",)), True, 0.0, []).ready


def test_the_reason_of_a_pool_is_for_callers_who_see_all_tasks() -> None:
    pool = PoolInfo("gpu", {"gpu": "a100"}, 0, 4, 2, 1, 1, 0, "Failed starts: 1.", 3.0)
    (seen,), (hidden,) = (
        workers_view(Workers(1, (), (pool,)), lambda _: True, sees_all).pools for sees_all in (True, False)
    )
    assert (seen.reason, hidden.reason) == ("Failed starts: 1.", "")
    assert (seen.wanted, seen.starting, seen.running, seen.max_workers, seen.labels) == (2, 1, 1, 4, {"gpu": "a100"})
    assert seen.decided_at == "1970-01-01T00:00:03.000+00:00"


@pytest.mark.parametrize(
    ("tick", "synced", "stuck_for_s", "full_disks", "words"),
    [
        (None, True, 0.0, [], "the broker is not answering"),
        (READY, False, 0.0, [], "cache is not filled"),
        (Tick(9, 0, 0, 0, 0), True, 0.0, [], "no worker is registered"),
        (Tick(9, 1, 0, 0, 0), True, 0.0, [], "no worker has loaded TensorFlow"),
        (Tick(9, 1, 1, 1, 5, overdue=4), True, 16.0, [], "4 tasks are waiting although workers that could start them"),
        (READY, True, 0.0, ["/a", "/b"], "the disk of /a is nearly full, so no new task is accepted; the disk of /b"),
    ],
)
def test_what_is_missing_is_said(
    tick: Tick | None, synced: bool, stuck_for_s: float, full_disks: list[str], words: str
) -> None:
    view = msgspec.to_builtins(readiness_view(tick, synced, stuck_for_s, full_disks))
    assert (view["ready"], view["code"]) == (False, "not_ready")
    assert words in view["error"]
    assert ("workers" in view) == (tick is not None)


def test_an_ended_task_shows_what_was_found_in_its_folder() -> None:
    few = finding("few_pictures", Severity.WARNING, "Few pictures.", "Add some.", ["a.jpg"])
    report = DataReport("class_folders", "Found.", 9, {"rose": 9}, skipped=2, findings=(few,))
    trained = Trained("/p/models/t1/model.tflite", warnings=tuple(report.warnings()), data=report)
    done = Task(make_spec(), TaskState.DONE, progress=100.0, trained=trained)
    failed = Task(make_spec(), TaskState.FAILED, failure=msgspec.structs.replace(FAILURE, data=report))
    for task in (done, failed):
        assert brief_view(task, None)["skippedFiles"] == 2
        shown = full_view(task, None)["dataReport"]
        assert (shown["counts"], shown["skippedFiles"], shown["findings"][0]["code"]) == ({"rose": 9}, 2, few.code)
        assert any("Few pictures. Add some." in warning for warning in brief_view(task, None)["warnings"])
    assert full_view(Task(make_spec()), None)["dataReport"] is None


def test_a_model_that_did_not_come_into_use_is_warned_of_first() -> None:
    sentence = "This model is worse than the one of task …"
    worse = Comparison(hex_id("t0"), 57, 1, 7, 0.035, 0.81, 0.91, promoted=False, sentence=sentence)
    trained = Trained("/p/models/t1/model.tflite", warnings=("A few pictures.",), comparison=worse)
    view = full_view(Task(make_spec(), TaskState.DONE, trained=trained), None)
    assert (view["promoted"], view["warnings"]) == (False, [sentence, "A few pictures."])
    assert (view["comparison"]["withTask"], view["comparison"]["pValue"]) == (hex_id("t0"), 0.035)
    better = msgspec.structs.replace(trained, comparison=msgspec.structs.replace(worse, promoted=True))
    view = full_view(Task(make_spec(), TaskState.DONE, trained=better), None)
    assert (view["promoted"], view["warnings"]) == (True, ["A few pictures."])
    waiting = full_view(Task(make_spec()), None)
    assert (waiting["promoted"], waiting["comparison"]) == (False, None)


def test_results_from_before_there_were_comparisons_are_of_promoted_models() -> None:
    assert msgspec.json.decode(b'{"model_path": "/p/models/t1/model.tflite"}', type=Trained).promoted
    assert full_view(Task(make_spec(), TaskState.DONE, trained=Trained("/m")), None)["promoted"] is True


def test_a_check_says_whether_a_training_could_use_the_folder() -> None:
    error = finding("no_images", Severity.ERROR, "There are no images.")
    assert check_view(DataReport(findings=(error,))).trainable is False
    assert check_view(DataReport(skipped=3)).skipped_files == 3
