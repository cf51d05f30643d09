"""A free worker helps another one with the features of a large folder, and is killed in the middle."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.service_under_test import ServiceUnderTest, wait_until
from tests.process.small_projects import make_digits_project

OPTIONS: dict[str, Any] = {"imageSize": 128, "epochs": 1, "exports": "tflite"}
PER_CLASS = 170


@pytest.fixture
def second(service: ServiceUnderTest) -> Iterator[subprocess.Popen[str]]:
    with service.spawn_worker("second") as worker:
        service.wait_until_free(workers=2)
        yield worker
        worker.kill()


def helping(service: ServiceUnderTest, task_id: str) -> list[str]:
    workers = service.call("GET", "/v1/workers").body["workers"]
    return [worker["name"] for worker in workers if worker["helping"] == task_id]


def features(project: Path) -> dict[str, bytes]:
    """Without the hidden file that a helper leaves if it is killed while it writes."""
    files = [path for path in project.glob(".tfmodel/features/*/*") if not path.name.startswith(".")]
    return {path.name: path.read_bytes() for path in files}


def model_of(task: dict[str, Any]) -> str:
    return hashlib.sha256(Path(task["modelPath"]).read_bytes()).hexdigest()


def test_features_and_model_are_the_same_with_a_helper_that_is_killed(
    service: ServiceUnderTest, second: subprocess.Popen[str]
) -> None:
    shared = make_digits_project(service.projects / "shared", PER_CLASS)
    alone = shutil.copytree(shared, service.projects / "alone")
    expected = service.wait_for_end(service.post(alone, "classification", **OPTIONS))
    service.wait_until_free(workers=2)

    task_id = service.post(shared, "classification", workers=5, **OPTIONS)
    (helper,) = wait_until(lambda: helping(service, task_id), bool, service.last_log_lines)
    agent_pid = second.pid if helper == "second" else service.pid_of(f"trainer_worker:{helper}")
    service.wait_for_task(task_id, lambda task: task["helpers"] == 1)
    service.trainers_of(agent_pid)[0].kill()
    task = service.wait_for_end(task_id)

    assert task["attempt"] == 1
    assert task["thread"] != helper
    assert features(shared) == features(alone)
    assert model_of(task) == model_of(expected)
    assert task["metrics"] == expected["metrics"]
    wait_until(lambda: helping(service, task_id), lambda names: not names)
