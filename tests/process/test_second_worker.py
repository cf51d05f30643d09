"""A worker launched by hand, beside the supervised one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.process.published_models import check_published
from tests.process.service_under_test import PATIENCE_S, ServiceUnderTest, wait_until, wait_until_gone
from tests.process.small_projects import SIDE_PX, make_digits_project

EXIT_BAD_SETTINGS = 78


@pytest.fixture
def second(service: ServiceUnderTest) -> Iterator[subprocess.Popen[str]]:
    with service.spawn_worker("second") as worker:
        yield worker
        worker.kill()


def worker_names(service: ServiceUnderTest, ready: bool = False) -> set[str]:
    workers = service.call("GET", "/v1/workers").body.get("workers", [])
    return {worker["name"] for worker in workers if worker["ready"] or not ready}


def test_it_joins_works_and_leaves(service: ServiceUnderTest, project: Path, second: subprocess.Popen[str]) -> None:
    wait_for_line(second, "action=trainer.ready")
    wait_until(lambda: worker_names(service, ready=True), lambda names: "second" in names, service.last_log_lines)

    projects = [project, make_digits_project(service.projects / "for_second")]
    task_ids = [
        service.post(folder, "classification", imageSize=SIDE_PX, epochs=3, exports="tflite") for folder in projects
    ]
    tasks = [service.wait_for_end(task_id) for task_id in task_ids]
    assert {task["thread"] for task in tasks} == {"trainer_worker_0", "second"}
    for folder, task in zip(projects, tasks, strict=True):
        assert task["attempt"] == 1
        check_published(folder, task, others=frozenset())

    seen = {worker["name"]: worker for worker in service.call("GET", "/v1/workers").body["workers"]}["second"]
    assert seen["devices"] == ["CPU"] or not any("CPU" in device for device in seen["devices"])
    assert seen["memoryMb"] > 100
    assert seen["tasksDone"] == 1

    family = [psutil.Process(second.pid), *psutil.Process(second.pid).children(recursive=True)]
    second.terminate()
    assert second.wait(PATIENCE_S) == 0
    wait_until_gone(family)
    wait_until(lambda: worker_names(service), lambda names: names == {"trainer_worker_0"})


def test_a_name_is_given_once(service: ServiceUnderTest) -> None:
    agent = service.pid_of("trainer_worker:trainer_worker_0")
    with service.spawn_worker("trainer_worker_0") as namesake:
        output, _ = namesake.communicate(timeout=PATIENCE_S)
    assert namesake.returncode == EXIT_BAD_SETTINGS
    assert "--name trainer_worker_0" in output
    assert "another name" in output
    assert service.pid_of("trainer_worker:trainer_worker_0") == agent
    assert worker_names(service, ready=True) == {"trainer_worker_0"}


def wait_for_line(worker: subprocess.Popen[str], text: str) -> None:
    assert worker.stdout is not None
    seen = []
    for line in worker.stdout:
        if text in line:
            return
        seen.append(line)
    pytest.fail(f"the worker ended without {text!r}; it said:\n{''.join(seen)}")
