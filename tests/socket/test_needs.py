"""Labels and needs over real sockets: who gets a task, what a waiting one says, and what callers see of workers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from protocol import messages as m
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until

TRAIN_TYPES = ("classification", "segmentation")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("needs")) as running:
        yield running


def join(worker: ScriptedWorker, labels: dict[str, str]) -> None:
    versions = {"tfmodel": "0.1.0", "tensorflow": "2.21.0"}
    hello = m.Hello(worker.name, worker.start_id, "test", TRAIN_TYPES, True, labels=labels, versions=versions)
    worker.send(hello)
    worker.receive(m.Welcome)


def test_a_task_waits_for_what_it_needs_says_so_and_starts_there(programs: Programs) -> None:
    with ScriptedWorker(programs.endpoints.worker, "plain") as plain:
        join(plain, {})
        task_id = programs.post_id(needs="gpu=a100")
        view = wait_until(
            lambda: (body := programs.get(f"/v1/tasks/{task_id}").body)["waitingFor"] and body, "what the task lacks"
        )
        assert view["waitingFor"].startswith("No worker that trains classification with gpu=a100 is registered")
        assert view["options"] == {"needs": ["gpu=a100"]}
        with ScriptedWorker(programs.endpoints.worker, "gpu") as gpu:
            join(gpu, {"gpu": "a100", "room": "2"})
            start = gpu.receive(m.Start)
            assert start.spec.needs == ("gpu=a100",)
            wait_until(lambda: not programs.get(f"/v1/tasks/{task_id}").body["waitingFor"], "a task that lacks nothing")
            workers = {each["name"]: each for each in programs.get("/v1/workers").body["workers"]}
            assert workers["gpu"]["labels"] == {"gpu": "a100", "room": "2"}
            assert workers["gpu"]["versions"] == {"tfmodel": "0.1.0", "tensorflow": "2.21.0"}
            assert workers["plain"]["labels"] == {}
            gpu.finish(start)
            wait_until(lambda: programs.task(task_id).body["state"] == "done", "the end of the task")


@pytest.mark.parametrize("needs", ["GPU", "gpu=", ",".join(itertools.repeat("a", 3)) + ",b,c,d,e"])
def test_needs_of_another_form_are_a_bad_field(programs: Programs, needs: str) -> None:
    answer = programs.post(None, needs=needs)
    assert (answer.status, list(answer.body["fields"])) == (400, ["needs"])
