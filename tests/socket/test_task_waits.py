"""`GET /v1/tasks/{taskId}?wait=…&since=…`: the task as soon as something has happened to it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from protocol import messages as m
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import TIMEOUT_S


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("waits")) as running:
        yield running


def test_a_task_is_answered_as_soon_as_something_happens_to_it(programs: Programs) -> None:
    path = f"/v1/tasks/{programs.post_id()}"
    seq = programs.get(path).body["seq"]
    with ScriptedWorker(programs.endpoints.worker) as worker, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(programs.get, f"{path}?wait=60&since={seq}")
        worker.join()
        start = worker.receive(m.Start)
        changed = waiting.result(TIMEOUT_S).body
        assert (changed["state"], changed["seq"] > seq) == ("processing", True)
        worker.finish(start)
    # The last answer is older than the state, or the task has ended: there is nothing to wait for.
    assert programs.get(f"{path}?wait=60&since={changed['seq']}").body["state"] == "done"
    assert programs.get(f"{path}?wait=60&since=999999").body["state"] == "done"


def test_a_task_to_which_nothing_happens_is_answered_when_the_time_is_over(programs: Programs) -> None:
    path = f"/v1/tasks/{programs.post_id()}"
    task = programs.get(path).body
    started_s = time.monotonic()
    assert programs.get(f"{path}?wait=0.3&since={task['seq']}").body["seq"] == task["seq"]
    assert time.monotonic() - started_s >= 0.3
    programs.call("DELETE", path)


def test_the_longest_wait_is_a_minute(programs: Programs) -> None:
    answer = programs.get(f"/v1/tasks/{programs.post_id()}?wait=61")
    assert (answer.status, list(answer.body["fields"])) == (400, ["wait"])
