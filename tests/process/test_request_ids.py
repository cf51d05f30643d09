"""The X-Request-Id of a POST stands in the lines of all four programs about the task, and is nobody else's."""

from __future__ import annotations

import re

import httpx

from tests.process.service_under_test import ServiceUnderTest

REQUEST_ID = "shop-2026.11-4711"


def test_one_id_leads_through_all_logs(service: ServiceUnderTest) -> None:
    folder = service.projects / "traced"
    folder.mkdir()
    fields = {"userId": "u1", "projectId": "p1", "projectDir": str(folder), "trainType": "classification"}
    posted = httpx.post(f"{service.address}/v1/tasks", json=fields, headers={"X-Request-Id": REQUEST_ID})
    assert (posted.status_code, posted.headers["X-Request-Id"]) == (202, REQUEST_ID)
    task_id = posted.json()["taskId"]
    service.wait_for_end(task_id, "failed")
    assert service.task(task_id)["requestId"] == REQUEST_ID
    actions = {
        "web": ("web.submitted",),
        "broker": ("task.submitted", "task.leased", "task.failed"),
        "worker.trainer_worker_0": ("task.taken", "task.failed"),
        "trainer": ("training.began", "task.failed", "training.ended"),
    }
    lines = [line for name in ("server", "broker", "trainer_worker_0") for line in service.log(name).splitlines()]
    for program, expected in actions.items():
        of_program = [line for line in lines if f" {program} action=" in line and task_id in line]
        named = {action for line in of_program for action in re.findall(r"action=(\S+) ", line) if REQUEST_ID in line}
        assert named >= set(expected), (program, of_program)
    others = [line for line in lines if f"request={REQUEST_ID}" in line and task_id not in line]
    assert others == []
