"""Programs are killed or restarted while a task trains: nothing is lost, and only its own worker interrupts it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.process.published_models import check_published
from tests.process.service_under_test import ServiceUnderTest, wait_until, wait_until_gone
from tests.process.small_projects import SIDE_PX

WORKER = "trainer_worker:trainer_worker_0"
#: The epochs give a restart the time to come before the end.
LONGER = {"epochs": 6}


def post_and_wait_for_training(service: ServiceUnderTest, project: Path, **options: Any) -> str:
    # A new trainer process writes and checks the other formats slowly at first.
    given = {"imageSize": SIDE_PX, "exports": "tflite", "epochs": 3, **options}
    task_id = service.post(project, "classification", **given)
    service.wait_for_phase(task_id, "train", "export")
    return task_id


def kill(service: ServiceUnderTest, program: str, pid: int) -> None:
    """kill -9; returns when the supervisor has started it again."""
    os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: service.program_info(program),
        lambda info: info.state == "RUNNING" and info.pid != pid,
        service.last_log_lines,
    )


def trainer(service: ServiceUnderTest) -> psutil.Process:
    return service.trainers_of(service.pid_of(WORKER))[0]


def check_uninterrupted(service: ServiceUnderTest, project: Path, task_id: str) -> None:
    task = service.wait_for_end(task_id)
    assert (task["attempt"], task["endedAttempts"]) == (1, [])
    check_published(project, task, others=frozenset())


def check_second_attempt(service: ServiceUnderTest, project: Path, task_id: str, code: str) -> str:
    """The first attempt ended with the code, the second finished; returns the words on the first."""
    task = service.wait_for_end(task_id)
    assert task["attempt"] == 2
    assert [(end["attempt"], end["code"]) for end in task["endedAttempts"]] == [(1, code)]
    check_published(project, task, others=frozenset())
    return str(task["endedAttempts"][0]["error"])


def test_killed_trainer_process(service: ServiceUnderTest, project: Path) -> None:
    agent = service.pid_of(WORKER)
    task_id = post_and_wait_for_training(service, project, **LONGER)
    service.trainers_of(agent)[0].kill()
    error = check_second_attempt(service, project, task_id, "trainer_killed")
    assert "SIGKILL" in error
    assert service.pid_of(WORKER) == agent


def test_killed_worker(service: ServiceUnderTest, project: Path) -> None:
    agent = service.pid_of(WORKER)
    task_id = post_and_wait_for_training(service, project, **LONGER)
    orphans = service.trainers_of(agent)
    assert orphans
    kill(service, WORKER, agent)
    wait_until_gone(orphans)
    assert "restarted" in check_second_attempt(service, project, task_id, "worker_lost")


def test_killed_broker(service: ServiceUnderTest, project: Path) -> None:
    agent, broker = service.pid_of(WORKER), service.pid_of("broker")
    task_id = post_and_wait_for_training(service, project)
    training = service.trainers_of(agent)[0]
    kill(service, "broker", broker)
    # The front-end answers from its cache meanwhile, and takes new tasks when the broker is back.
    assert service.task(task_id)["state"] == "processing"
    # Of another seed: with the same one, it would get the first one's model at once.
    queued = service.post(project, "classification", imageSize=SIDE_PX, epochs=3, seed=2)
    check_uninterrupted(service, project, task_id)
    assert trainer(service) == training
    assert service.call("DELETE", f"/v1/tasks/{queued}").status == 200
    service.wait_for_end(queued, "cancelled")


def test_killed_front_end(service: ServiceUnderTest, project: Path) -> None:
    server = service.pid_of("server")
    task_id = post_and_wait_for_training(service, project)
    kill(service, "server", server)
    wait_until(lambda: service.call("GET", "/readyz").status, lambda status: status == 200)
    assert service.task(task_id)["state"] == "processing"
    check_uninterrupted(service, project, task_id)
    paths = (f"/?taskId={task_id}", f"/v1/tasks/{task_id}")
    before = [service.call("GET", path) for path in paths]
    kill(service, "server", service.pid_of("server"))
    wait_until(lambda: service.call("GET", "/readyz").status, lambda status: status == 200)
    assert [service.call("GET", path) for path in paths] == before


def test_restarted_broker_and_front_end(service: ServiceUnderTest, project: Path) -> None:
    agent = service.pid_of(WORKER)
    task_id = post_and_wait_for_training(service, project)
    training = service.trainers_of(agent)[0]
    service.supervisorctl("restart", "server", "broker")
    wait_until(lambda: service.call("GET", "/readyz").status, lambda status: status == 200)
    check_uninterrupted(service, project, task_id)
    assert trainer(service) == training


@pytest.mark.parametrize("programs", [WORKER, "all"])
def test_restarted_worker(service: ServiceUnderTest, project: Path, programs: str) -> None:
    agent = service.pid_of(WORKER)
    task_id = post_and_wait_for_training(service, project, **LONGER)
    trainers = service.trainers_of(agent)
    service.supervisorctl("restart", programs)
    wait_until_gone(trainers)
    wait_until(lambda: service.call("GET", "/healthz").status, lambda status: status == 200)
    # With all stopped at once, the worker's last word and the broker's end may cross: lost is as good as handed back.
    task = service.wait_for_end(task_id)
    assert task["attempt"] == 2
    assert task["endedAttempts"][0]["code"] in (
        ("handed_back",) if programs == WORKER else ("handed_back", "worker_lost")
    )
    check_published(project, task, others=frozenset())
