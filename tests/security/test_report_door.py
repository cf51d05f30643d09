"""The report of a model: a page in a stranger's folder, served by a real front-end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from protocol import messages as m
from protocol.errors import REFUSAL_CODES
from protocol.project_layout import MODELS, MOST_REPORT_BYTES, REPORT
from tests.security.exchanges import swap_for_a_link, swap_for_another, swap_parent_for_a_link
from tests.security.planted_entries import ENTRIES, SECRET, secret_in
from tests.security.raw_http import RawAnswer, RawCaller, ask, request
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until

PAGE = b"<!doctype html><title>Report</title><p>9 of 10"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    folder = tmp_path_factory.mktemp("reports")
    with Programs(folder, HOME=folder / "state") as running:
        yield running


@pytest.fixture
def done(programs: Programs, request: pytest.FixtureRequest) -> Iterator[tuple[str, Path]]:
    """A task that is done, and the folder of its model in a project of its own, with a report in it."""
    project = programs.projects / "people" / request.node.name[:60] / "flowers"
    project.mkdir(parents=True)
    with ScriptedWorker(programs.endpoints.worker) as worker:
        worker.join()
        task_id = programs.post_id(projectDir=str(project))
        worker.heartbeat(ready=True)
        worker.finish(worker.receive(m.Start))
    wait_until(lambda: programs.task(task_id).body["state"] == "done", "the front-end to hear of the result")
    model = project / MODELS / task_id
    model.mkdir(parents=True)
    (model / REPORT).write_bytes(PAGE)
    yield task_id, model
    shutil.rmtree(programs.projects / "people")


def get(programs: Programs, task_id: str, *lines: str) -> RawAnswer:
    return ask(programs.ports["WEB_PORT"], f"GET /v1/tasks/{task_id}/report HTTP/1.1", *lines)


def check_refused(answer: RawAnswer, code: str = "no_report") -> None:
    assert (answer.status, answer.code) == (REFUSAL_CODES[code], code), answer
    assert answer.headers["content-type"] == "application/json"
    assert SECRET not in answer.body


@pytest.mark.door(22)
def test_the_report_of_a_done_task_is_sent_as_it_is(programs: Programs, done: tuple[str, Path]) -> None:
    answer = get(programs, done[0])
    assert (answer.status, answer.body) == (200, PAGE)
    headed = ask(programs.ports["WEB_PORT"], f"HEAD /v1/tasks/{done[0]}/report HTTP/1.1")
    assert (headed.status, headed.headers["content-length"]) == (200, str(len(PAGE)))


@pytest.mark.door(22)
def test_a_long_report_arrives_whole_and_the_connection_serves_on(programs: Programs, done: tuple[str, Path]) -> None:
    content = os.urandom(MOST_REPORT_BYTES)
    (done[1] / REPORT).write_bytes(content)
    with RawCaller(programs.ports["WEB_PORT"]) as caller:
        assert caller.ask(f"GET /v1/tasks/{done[0]}/report HTTP/1.1").body == content
        assert caller.ask("GET /healthz HTTP/1.1").status == 200


@pytest.mark.door(22)
def test_whatever_stands_in_it_runs_nothing_and_sends_nothing(programs: Programs, done: tuple[str, Path]) -> None:
    (done[1] / REPORT).write_bytes(b"<script>fetch('/v1/workers')</script><form action=/ method=post>")
    headers = get(programs, done[0]).headers
    policy = [part.strip() for part in headers["content-security-policy"].split(";")]
    assert policy[:2] == ["sandbox", "default-src 'none'"]  # sandbox without a word: no script, no form, no origin
    assert set(policy[2:]) == {
        *("style-src 'unsafe-inline'", "img-src data:"),
        *("base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"),
    }
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"].startswith("inline")
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.door(22)
@pytest.mark.parametrize("put", ENTRIES)
def test_only_a_regular_file_of_that_very_folder_is_served(
    programs: Programs, done: tuple[str, Path], tmp_path: Path, put: Callable[[Path, Path], None]
) -> None:
    put(done[1] / REPORT, secret_in(tmp_path))
    check_refused(get(programs, done[0]))
    assert ask(programs.ports["WEB_PORT"], "GET /healthz HTTP/1.1").status == 200


@pytest.mark.door(22)
@pytest.mark.parametrize("swap", [swap_for_another, swap_for_a_link, swap_parent_for_a_link])
def test_a_folder_in_the_place_of_the_posted_one_is_not_read(
    programs: Programs, done: tuple[str, Path], tmp_path: Path, swap: Callable[[Path, Path], None]
) -> None:
    task_id, model = done
    project, victims = model.parent.parent, tmp_path / "victims"
    (victims / MODELS / task_id).mkdir(parents=True)
    (victims / MODELS / task_id / REPORT).write_bytes(SECRET)
    swap(project, victims)
    answer = get(programs, task_id)
    check_refused(answer)
    assert "project folder" in answer.json()["error"]


@pytest.mark.door(22)
def test_a_task_without_a_model_has_none(programs: Programs, done: tuple[str, Path]) -> None:
    waiting = programs.post_id()
    answer = get(programs, waiting)
    check_refused(answer)
    assert answer.json()["state"] == "pending"
    programs.call("DELETE", f"/v1/tasks/{waiting}")
    answer = get(programs, waiting)
    check_refused(answer)
    assert answer.json()["state"] == "cancelled"
    check_refused(get(programs, "0" * 32), "unknown_task")
    check_refused(get(programs, "..%2f..%2fsecret"), "unknown_task")


@pytest.mark.door(22)
def test_a_report_that_is_cut_short_meanwhile_ends_the_connection(programs: Programs, done: tuple[str, Path]) -> None:
    """The caller sees that it is not whole, and the front-end serves on."""
    report = done[1] / REPORT
    report.write_bytes(b"x" * MOST_REPORT_BYTES)
    with RawCaller(programs.ports["WEB_PORT"]) as caller:
        caller.send(request(f"GET /v1/tasks/{done[0]}/report HTTP/1.1"))
        caller.socket.recv(1)  # it has begun, and what is read ahead is far less than the whole
        os.truncate(report, 0)
        received = 1
        while part := caller.socket.recv(2**20):
            received += len(part)
    assert received < MOST_REPORT_BYTES
    assert ask(programs.ports["WEB_PORT"], "GET /healthz HTTP/1.1").status == 200
    assert "action=web.file_cut_short" in programs.log_of("web")
    assert "Traceback" not in programs.log_of("web")


@pytest.mark.door(22)
def test_callers_that_leave_in_the_middle_cost_nothing(programs: Programs, done: tuple[str, Path]) -> None:
    """More of them than reports may be open at once: each one's file is closed again."""
    (done[1] / REPORT).write_bytes(b"x" * MOST_REPORT_BYTES)
    for _ in range(110):
        with RawCaller(programs.ports["WEB_PORT"]) as caller:
            caller.send(request(f"GET /v1/tasks/{done[0]}/report HTTP/1.1"))
            caller.socket.recv(1)
    assert get(programs, done[0]).status == 200
    assert "Traceback" not in programs.log_of("web")
