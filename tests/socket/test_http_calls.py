"""Every HTTP status and code of the API, from a real front-end and a real broker."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from protocol import messages as m
from protocol.errors import REFUSAL_CODES, Failure, FailureClass
from tests.socket.programs import FORM_HEADERS, Answer, Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until

EIGHT = {"taskId", "progress", "thread", "state", "userId", "projectId", "projectDir", "trainType"}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("open")) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """With tokens, and room for one waiting task."""
    folder = tmp_path_factory.mktemp("guarded")
    with Programs(folder, HOME=folder / "state", BROKER_MAX_PENDING=1) as running:
        yield running


@pytest.fixture(scope="module")
def token(guarded: Programs) -> str:
    return guarded.make_token("website")["Authorization"].removeprefix("Bearer ")


def check_refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.body["code"]) == (status, code), answer
    assert REFUSAL_CODES[code] == status
    assert len(answer.body["error"]) > 10
    assert "Traceback" not in answer.body["error"]


def check_eight(body: dict[str, Any], state: str) -> None:
    assert body.keys() >= EIGHT
    assert isinstance(body["progress"], float)
    assert all(isinstance(body[name], str) for name in EIGHT - {"progress"})
    assert body["state"] == state


# ---- the two calls of the original API ----


def test_post_and_get_answer_the_same_eight_fields(programs: Programs) -> None:
    answer = programs.post(epochs="3")
    assert answer.status == 200
    check_eight(answer.body, "pending")
    assert answer.body.keys() == EIGHT
    assert (answer.body["progress"], answer.body["thread"]) == (0.0, "")
    assert (answer.body["userId"], answer.body["projectDir"]) == ("anna", "anna/flowers")
    assert programs.task(answer.body["taskId"]).body == answer.body


def test_a_whole_life_is_seen_from_outside(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs, ScriptedWorker(programs.endpoints.worker) as worker:
        worker.join()
        task_id = programs.post_id()
        start = worker.receive(m.Start)
        wait_until(lambda: programs.task(task_id).body["thread"] == "w1", "the worker's name as thread")
        check_eight(programs.task(task_id).body, "processing")
        assert worker.finish(start).task_id == task_id
        wait_until(lambda: programs.task(task_id).body["state"] == "done", "the end of the task")
        body = programs.task(task_id).body
        check_eight(body, "done")
        assert (body["progress"], body["thread"]) == (100.0, "w1")
        assert body["modelPath"] == f"{programs.projects}/anna/flowers/models/{task_id}/model.tflite"
        assert body.keys() == EIGHT | {"modelPath", "warnings", "skippedFiles"}
        assert (body["warnings"], body["skippedFiles"]) == ([], 0)
        assert programs.call("DELETE", f"/v1/tasks/{task_id}").body["code"] == "task_ended"


def test_a_failed_task_says_why(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs, ScriptedWorker(programs.endpoints.worker) as worker:
        worker.join()
        task_id = programs.post_id()
        worker.receive(m.Start)
        failure = Failure("no_images", FailureClass.DATA, "There are no images.", "line 7 of secret.py")
        worker.send(m.Result(task_id, 1, failure=failure, progress=4.0))
        body = wait_until(lambda: ended(programs, task_id), "the end of the task")
        check_eight(body, "failed")
        assert (body["error"], body["code"]) == ("There are no images.", "no_images")
        assert "secret" not in str(programs.get(f"/v1/tasks/{task_id}").body)


def ended(programs: Programs, task_id: str) -> dict[str, Any]:
    body = programs.task(task_id).body
    return body if body["state"] in ("done", "failed", "cancelled") else {}


# ---- refusals ----


def test_400_names_every_bad_field(programs: Programs) -> None:
    answer = programs.post(userId=None, trainType="sculpture", projectDir="nowhere")
    check_refused(answer, 400, "bad_fields")
    assert answer.body["fields"].keys() == {"userId", "trainType", "projectDir"}
    assert all(error in answer.body["error"] for error in answer.body["fields"].values())


def test_400_for_a_bad_option_says_what_came_and_what_is_allowed(programs: Programs) -> None:
    answer = programs.post(epochs="0", colour="red")
    check_refused(answer, 400, "bad_fields")
    assert answer.body["fields"].keys() == {"epochs", "colour"}
    assert "'0'" in answer.body["fields"]["epochs"]
    assert "1 to 1000" in answer.body["fields"]["epochs"]


@pytest.mark.parametrize("body", [b"", b"userId", b"\xff\xfe=\x00", b"userId=%ff%fe&projectDir=%00", b"a=1&" * 200])
def test_400_for_any_form_that_cannot_be_read(programs: Programs, body: bytes) -> None:
    check_refused(programs.call("POST", "/", body, FORM_HEADERS), 400, "bad_fields")


def test_400_for_get_without_a_task_id(programs: Programs) -> None:
    check_refused(programs.get("/"), 400, "bad_fields")


@pytest.mark.parametrize("folder", ["/etc", "..", "../..", "anna/../../elsewhere", "/"])
def test_403_outside_the_allowed_folders_names_the_setting(programs: Programs, folder: str) -> None:
    answer = programs.post(projectDir=folder)
    check_refused(answer, 403, "project_dir_not_allowed")
    assert "data_roots" in answer.body["error"]


@pytest.mark.parametrize("task_id", ["nope", "..%2F..", "a" * 2000, "caf%C3%A9"])
def test_404_for_an_unknown_task(programs: Programs, task_id: str) -> None:
    check_refused(programs.task(task_id), 404, "unknown_task")
    check_refused(programs.get(f"/v1/tasks/{task_id}"), 404, "unknown_task")
    check_refused(programs.call("DELETE", f"/v1/tasks/{task_id}"), 404, "unknown_task")


def test_404_for_an_unknown_path(programs: Programs) -> None:
    check_refused(programs.get("/v1/nothing"), 404, "unknown_path")


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/"), ("DELETE", "/"), ("POST", "/healthz"), ("PATCH", "/v1/tasks/t")]
)
def test_405_for_a_method_that_is_no_call(programs: Programs, method: str, path: str) -> None:
    check_refused(programs.call(method, path), 405, "method_not_allowed")


def test_409_for_a_task_that_has_not_started(programs: Programs) -> None:
    answer = programs.call("POST", f"/v1/tasks/{programs.post_id()}/stop")
    check_refused(answer, 409, "task_not_started")
    assert answer.body["state"] == "pending"


def test_409_for_a_key_that_was_used_for_something_else(programs: Programs) -> None:
    first, again = (programs.post({"Idempotency-Key": "k1"}) for _ in range(2))
    assert first.body["taskId"] == again.body["taskId"]
    check_refused(programs.post({"Idempotency-Key": "k1"}, epochs="9"), 409, "key_reused")


def test_413_for_a_body_that_is_too_large(programs: Programs) -> None:
    check_refused(programs.post(projectId="x" * 70_000), 413, "body_too_large")


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/mixed; boundary=x", ""])
def test_415_for_a_body_that_is_no_form(programs: Programs, content_type: str) -> None:
    check_refused(programs.post({"Content-Type": content_type}), 415, "unsupported_media_type")


@pytest.mark.parametrize("header", [None, "Bearer wrong-token-of-many-letters", "Basic {}", "Bearer {}x", "{}"])
def test_401_without_a_token_of_this_server(guarded: Programs, token: str, header: str | None) -> None:
    headers = {"Authorization": header.format(token)} if header else {}
    for answer in (guarded.get("/?taskId=t", **headers), guarded.post(headers), guarded.get("/v1/workers", **headers)):
        check_refused(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_monitors_need_no_token(guarded: Programs) -> None:
    assert guarded.get("/healthz").status == 200
    assert guarded.get("/readyz").body["code"] == "not_ready"


def test_429_when_the_queue_is_full(guarded: Programs, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    assert guarded.post(headers).status == 200
    answer = guarded.post(headers)
    check_refused(answer, 429, "queue_full")
    assert int(answer.headers["retry-after"]) > 0
    assert "max_pending" in answer.body["error"]


# ---- health ----


def test_healthz_is_the_process(programs: Programs) -> None:
    assert programs.get("/healthz").body == {"status": "ok"}


def test_readyz_says_what_is_missing_until_a_task_could_be_trained(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs, ScriptedWorker(programs.endpoints.worker) as worker:
        answer = programs.get("/readyz")
        check_refused(answer, 503, "not_ready")
        assert "no worker is registered" in answer.body["error"]
        worker.hello(ready=False)
        wait_until(lambda: "TensorFlow" in str(programs.get("/readyz").body), "a worker without TensorFlow")
        worker.heartbeat(ready=True)
        body = wait_until(lambda: ready(programs), "a worker that is ready")
        assert (body["ready"], body["workers"], body["freeWorkers"]) == (True, 1, 1)
        workers = programs.get("/v1/workers").body["workers"]
        assert [(w["name"], w["ready"], w["taskId"]) for w in workers] == [("w1", True, "")]


def ready(programs: Programs) -> dict[str, Any]:
    answer = programs.get("/readyz")
    return answer.body if answer.status == 200 else {}


# ---- cancelling, and many at once ----


def test_cancelling_twice_gives_the_same_answer(programs: Programs) -> None:
    task_id = programs.post_id()
    first, again = (programs.call("DELETE", f"/v1/tasks/{task_id}") for _ in range(2))
    assert (first.status, first.body["state"]) == (200, "cancelled")
    assert again == Answer(200, again.headers, first.body)


def test_a_hundred_posts_at_once_are_a_hundred_tasks(programs: Programs) -> None:
    users = [f"user{number}" for number in range(100)]
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda user: programs.post(userId=user), users))
    assert {answer.status for answer in answers} == {200}
    ids = {answer.body["taskId"]: answer.body["userId"] for answer in answers}
    assert len(ids) == 100
    assert set(ids.values()) == set(users)
    assert all(programs.task(task_id).body["userId"] == user for task_id, user in ids.items())


def test_strange_names_come_back_as_they_were_posted(programs: Programs) -> None:
    user = 'Ünï "quoted" <b>名前</b> & co'
    task_id = programs.post_id(userId=user)
    assert programs.get(f"/?taskId={urllib.parse.quote(task_id)}").body["userId"] == user
