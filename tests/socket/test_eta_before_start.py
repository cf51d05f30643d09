"""GET /v1/tasks/{taskId} gives a range for the end before the start: real front-end, real broker, scripted worker."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from protocol import messages as m
from protocol.task import Trained
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until
from web.forecast.eta import LEAST_TASKS, UNKNOWN, plan_s


def make_folder(programs: Programs, name: str, pictures: int) -> str:
    folder = programs.projects / name / "images" / "daisy"
    folder.mkdir(parents=True)
    for number in range(pictures):
        (folder / f"{number}.jpg").touch()
    return name


def range_of(programs: Programs, task_id: str) -> tuple[float, float] | None:
    task = programs.get(f"/v1/tasks/{task_id}").body
    shown = task["etaRangeSeconds"]
    if shown is None:
        assert task["etaSeconds"] is None
        return None
    assert shown[0] <= task["etaSeconds"] <= shown[1]
    return shown[0], shown[1]


def known_range(programs: Programs, task_id: str) -> tuple[float, float]:
    found = wait_until(lambda: range_of(programs, task_id), f"a range for {task_id}")
    assert found is not None
    return found


def publish_until_seen(programs: Programs, worker: ScriptedWorker, progress: m.Progress) -> None:
    def seen() -> bool:
        worker.publish(progress)
        return float(programs.task(progress.task_id).body["progress"]) == progress.progress

    wait_until(seen, "the progress")


def test_a_waiting_task_has_a_range_that_knows_its_folder_and_what_is_ahead(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs, ScriptedWorker(programs.endpoints.worker) as worker:
        small, large = (make_folder(programs, f"folder{number}", number) for number in (20, 1500))
        lonely = programs.post_id(projectDir=small)
        assert range_of(programs, lonely) is None, "nobody is there to train it"
        began_s = time.monotonic()
        worker.join()
        worker.connect_progress(programs.endpoints.collect)
        start = worker.receive(m.Start)
        plan = plan_s(start.spec, 20)
        low_s, high_s = known_range(programs, lonely)
        passed_s = time.monotonic() - began_s
        assert low_s < plan < high_s, "leased, and silent so far"
        assert high_s == pytest.approx(UNKNOWN[2] * plan, abs=passed_s + 1.0)

        waiting, behind = programs.post_id(projectDir=small), programs.post_id(projectDir=large)
        publish_until_seen(programs, worker, m.Progress(lonely, 1, 50.0, "train", 600.0, eta_low_s=550, eta_high_s=700))
        wait_until(lambda: range_of(programs, lonely) == (550.0, 700.0), "what the training says")
        low_s, high_s = known_range(programs, waiting)
        whole_s = 600.0 + plan
        assert (low_s, high_s) == pytest.approx((UNKNOWN[0] * whole_s, UNKNOWN[2] * whole_s), rel=0.02)
        first_low_s, first_high_s = known_range(programs, behind)
        assert first_low_s > low_s + 5.0
        assert first_high_s > high_s + 20.0
        for path in ("/v1/tasks?sort=submittedAt", "/v1/projects/anna/flowers"):
            ranges = {task["taskId"]: task["etaRangeSeconds"] for task in programs.get(path).body["tasks"]}
            assert ranges[lonely] == [550.0, 700.0]
            assert ranges[waiting] == pytest.approx([low_s, high_s], abs=30.0)
            assert ranges[behind] == pytest.approx([first_low_s, first_high_s], abs=30.0)
        programs.call("DELETE", f"/v1/tasks/{waiting}")
        (ended,) = programs.get("/v1/tasks?state=cancelled").body["tasks"]
        assert (ended["taskId"], ended["etaRangeSeconds"]) == (waiting, None)
        assert programs.call("DELETE", f"/v1/tasks/{behind}").body["etaRangeSeconds"] is None


def test_ended_tasks_narrow_the_range_and_a_restarted_front_end_knows_as_much(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs, ScriptedWorker(programs.endpoints.worker) as worker:
        worker.join()
        for number in range(LEAST_TASKS + 1):
            programs.post_id(projectDir=make_folder(programs, f"past{number}", 1))
            finish(worker)
        programs.post_id(projectDir=make_folder(programs, "now", 1))
        start = worker.receive(m.Start)
        waiting = programs.post_id(projectDir=make_folder(programs, "next", 1))
        quick_s = UNKNOWN[0] * plan_s(start.spec, 1)
        _, high_s = known_range(programs, waiting)
        assert high_s < quick_s, "the scripted worker is faster than any plan"
        programs.kill("web")
        programs.start("web")
        programs.wait_synced()
        _, high_s = known_range(programs, waiting)
        assert high_s < quick_s


def finish(worker: ScriptedWorker) -> None:
    """The next task, at once."""
    start = worker.receive(m.Start)
    worker.send(
        m.Result(
            start.spec.task_id,
            1,
            trained=Trained(f"{start.spec.project_path}/models/{start.spec.task_id}/m.tflite", {"images": 1.0}),
        )
    )
    worker.receive(m.ResultAck)
    worker.send(m.Heartbeat(ready=True))
