"""Orders to a running task: cancel throws it away, stop keeps the best model so far."""

from __future__ import annotations

import json
from pathlib import Path

from demo.segmentation_data import make_segmentation_project
from tests.process.published_models import accuracy_on_unseen_digits, check_published
from tests.process.service_under_test import ServiceUnderTest, wait_until
from tests.process.small_projects import SIDE_PX


def test_a_cancelled_task_leaves_nothing(service: ServiceUnderTest) -> None:
    project = service.projects / "to_cancel"
    make_segmentation_project(project, images=48, seed=3)
    task_id = service.post(project, "segmentation", imageSize=96)
    waiting = service.post(project, "segmentation", imageSize=96)
    service.wait_for_task(task_id, lambda task: task["epoch"] >= 1)  # before that, TensorFlow traces for seconds

    answer = service.call("DELETE", f"/v1/tasks/{waiting}")
    assert (answer.status, answer.body["state"]) == (200, "cancelled")
    answer = service.call("DELETE", f"/v1/tasks/{task_id}")
    assert (answer.status, answer.body["cancelRequested"]) == (200, True)
    task = service.wait_for_end(task_id, "cancelled")
    # It obeyed a message; otherwise its process would have been killed, and the line would name the signal as its rung.
    line = wait_until(lambda: line_with(service, f"action=task.stopped task={task_id} "), bool)
    assert line.split("rung=")[1].split(" ")[0] == "", line

    assert task["progress"] < 100.0
    assert not [path.name for path in project.glob("models/*")]
    assert service.call("DELETE", f"/v1/tasks/{task_id}").body == task
    refused = service.call("POST", f"/v1/tasks/{task_id}/stop", {})
    assert (refused.status, refused.body["code"]) == (409, "task_ended")


def line_with(service: ServiceUnderTest, words: str) -> str:
    """Of the worker's log, which supervisord writes a moment later."""
    return next((line for line in service.log("trainer_worker_0").splitlines() if words in line), "")


def test_a_stopped_task_keeps_its_model(service: ServiceUnderTest, project: Path, tmp_path: Path) -> None:
    task_id = service.post(project, "classification", imageSize=SIDE_PX, epochs=1000, batchSize=1, exports="tflite")
    service.wait_for_phase(task_id, "features", "train")
    answer = service.call("POST", f"/v1/tasks/{task_id}/stop", {})
    assert (answer.status, answer.body["stopRequested"]) == (200, True)
    task = service.wait_for_end(task_id)
    assert task["stoppedEarly"] is True
    assert task["progress"] == 100.0
    folder = check_published(project, task, others=frozenset())
    assert json.loads((folder / "metrics.json").read_text())["end_reason"] == task["endReason"] == "stopped"
    assert accuracy_on_unseen_digits(folder, tmp_path, seen=20) >= 0.8
    again = service.call("POST", f"/v1/tasks/{task_id}/stop", {})
    assert (again.status, again.body) == (200, task)
