"""The Python client on a network that breaks: what it tries again, how often, and what it says in the end."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from tests.free_ports import free_ports
from tests.socket.both_clients import Make
from tests.socket.client_answers import TASK_ID, sample, task
from tests.socket.scripted_http import SILENCE, ScriptedHttp, answer, json_answer
from tfmodel_client import AsyncClient, Client, errors, retrying
from tfmodel_client.steps import Answer, Pause, Request
from tfmodel_client.types import Predictions, TaskList, TaskSummary

pytestmark = pytest.mark.usefixtures("short_pauses")

#: A connection that ends before the answer.
CUT = b""
DONE = json_answer(task("done"))
BUSY = json_answer({"error": "100 tasks are waiting.", "code": "queue_full"}, 429, Retry_After="0")


def test_a_call_is_tried_again_until_it_is_answered(make: Make) -> None:
    with (
        ScriptedHttp(CUT, json_answer({}, 503), answer(502, b"<html>"), BUSY, DONE) as server,
        make(server.address) as client,
    ):
        assert client.task(TASK_ID).state == "done"
    assert [seen.path for seen in server.seen] == [f"/v1/tasks/{TASK_ID}"] * 5
    ids = {seen.headers["x-request-id"] for seen in server.seen}
    assert len(ids) == 1, "the operator finds all tries by one id"
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", ids.pop())


def test_tries_are_bounded_and_the_last_answer_is_told(make: Make) -> None:
    with (
        ScriptedHttp(*[BUSY] * 9) as server,
        make(server.address) as client,
        pytest.raises(errors.BusyError, match="100 tasks are waiting") as found,
    ):
        client.task(TASK_ID)
    assert len(server.seen) == retrying.TRIES
    assert (found.value.status, found.value.code) == (429, "queue_full")


def test_the_pause_is_the_one_that_the_server_asks_for(make: Make) -> None:
    asking = json_answer({"error": "Later.", "code": "broker_away"}, 503, Retry_After="0.4")
    with ScriptedHttp(asking, DONE) as server, make(server.address) as client:
        started_s = time.monotonic()
        client.task(TASK_ID)
        assert time.monotonic() - started_s >= 0.4


def test_clients_that_are_asked_for_the_same_pause_do_not_return_together() -> None:
    def pause_s() -> float:
        plan = retrying.ask(Request("GET", "/v1/server"), TaskList)
        next(plan)
        pause = plan.send(Answer(503, {"retry-after": "2"}))
        assert isinstance(pause, Pause)
        return pause.seconds

    pauses_s = [pause_s() for _ in range(20)]
    assert min(pauses_s) >= 2.0
    assert len(set(pauses_s)) > 1


def test_a_server_that_asks_for_an_hour_is_not_waited_for(make: Make) -> None:
    asking = json_answer({"error": "Later.", "code": "queue_full"}, 429, Retry_After="3600")
    with ScriptedHttp(asking, DONE) as server, make(server.address) as client, pytest.raises(errors.BusyError):
        client.task(TASK_ID)
    assert len(server.seen) == 1


def test_a_post_is_repeated_under_one_key_and_every_call_has_its_own(make: Make) -> None:
    with ScriptedHttp(CUT, DONE, DONE, DONE) as server, make(server.address) as client:
        client.submit("7", "42", "flowers", "classification", options={"epochs": 5}, metadata={"shop": "3"})
        client.submit("7", "42", "flowers", "classification")
        client.submit("7", "42", "flowers", "classification", key="order-1")
    first, again, second, own = (seen.headers["idempotency-key"] for seen in server.seen)
    assert first == again
    assert second not in (first, own)
    assert own == "order-1"
    assert json.loads(server.seen[1].body) == {
        "userId": "7",
        "projectId": "42",
        "projectDir": "flowers",
        "trainType": "classification",
        "options": {"epochs": 5},
        "metadata": {"shop": "3"},
    }


def test_a_retried_task_has_a_key_too(make: Make) -> None:
    with ScriptedHttp(CUT, DONE) as server, make(server.address) as client:
        client.retry(TASK_ID)
    assert server.seen[0].headers["idempotency-key"] == server.seen[1].headers["idempotency-key"]


def test_a_refusal_is_told_at_once_with_its_code_fields_and_request_id(make: Make) -> None:
    body = {"error": "userId is missing.", "code": "bad_fields", "fields": {"userId": "userId is missing."}}
    with (
        ScriptedHttp(json_answer(body, 400, X_Request_Id="abc-1"), DONE) as server,
        make(server.address) as client,
        pytest.raises(errors.BadRequestError) as found,
    ):
        client.submit("", "42", "flowers", "classification")
    assert len(server.seen) == 1
    assert str(found.value) == "userId is missing. (bad_fields, request abc-1)"
    assert found.value.fields == {"userId": "userId is missing."}
    assert isinstance(found.value, errors.TFModelError)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "unauthorized", errors.NotAuthenticatedError),
        (403, "user_not_allowed", errors.NotAllowedError),
        (404, "unknown_task", errors.NotFoundError),
        (409, "task_ended", errors.ConflictError),
        (500, "internal_error", errors.ServerError),
        # A newer server may have codes that this client does not know: the status decides.
        (409, "a_newer_code", errors.ConflictError),
        (507, "a_newer_code", errors.ServerError),
    ],
)
def test_each_kind_of_refusal_has_its_class(status: int, code: str, kind: type[errors.TFModelError]) -> None:
    with (
        ScriptedHttp(json_answer({"error": "No.", "code": code}, status)) as server,
        Client(server.address) as client,
        pytest.raises(kind),
    ):
        client.task(TASK_ID)


def test_nobody_there_is_said_with_the_address(make: Make) -> None:
    address = f"http://127.0.0.1:{free_ports(1)[0]}"
    with make(address) as client, pytest.raises(errors.UnreachableError, match=re.escape(address)):
        client.workers()


def test_a_silent_server_is_given_up_in_time(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "TRIES", 2)
    with (
        ScriptedHttp(SILENCE, SILENCE) as server,
        make(server.address, timeout_s=0.2) as client,
        pytest.raises(errors.UnreachableError, match="has not answered"),
    ):
        client.task(TASK_ID)


def test_an_answer_of_another_program_is_told_from_one_of_ours(make: Make) -> None:
    page = answer(200, b"<html>It works!</html>", Content_Type="text/html")
    moved = answer(301, b"", Location="https://example.org/")
    other = json_answer({"taskId": 7})
    with ScriptedHttp(page, moved, other) as server, make(server.address, token="tfm_secret") as client:
        for words in ("is the address that of a TFModel server", "https://example.org/", "taskId"):
            with pytest.raises(errors.UnreadableAnswerError, match=words):
                client.task(TASK_ID)
    assert len(server.seen) == 3, "a token is not carried to another address"


def test_the_token_is_sent_and_shown_nowhere(make: Make) -> None:
    refused = json_answer({"error": "Send a token.", "code": "unauthorized"}, 401)
    with (
        ScriptedHttp(refused) as server,
        make(server.address, token="tfm_secret") as client,
        pytest.raises(errors.NotAuthenticatedError) as found,
    ):
        client.task(TASK_ID)
    assert server.seen[0].headers["authorization"] == "Bearer tfm_secret"
    assert "tfm_secret" not in str(found.value)


def test_pages_are_read_one_after_the_other(make: Make) -> None:
    pages = [
        sample(TaskList, tasks=[sample(TaskSummary, task_id=name) for name in names], next=following)
        for names, following in (("ab", "p2"), ("c", ""))
    ]
    with ScriptedHttp(*map(json_answer, pages)) as server, make(server.address) as client:
        found = client.tasks(user_id="7", state=["done", "failed"], metadata={"shop": "3"}, limit=2)
        assert [each.task_id for each in found] == ["a", "b", "c"]
    query = "/v1/tasks?userId=7&state=done&state=failed&metadata%5Bshop%5D=3&limit=2"
    assert [seen.path for seen in server.seen] == [query, f"{query}&cursor=p2"]


def test_pictures_go_as_files_whether_they_are_paths_or_bytes(make: Make, tmp_path: Path) -> None:
    (tmp_path / "rose.jpg").write_bytes(b"a rose")
    with ScriptedHttp(CUT, *[json_answer(sample(Predictions))] * 2) as server, make(server.address) as client:
        client.predict([tmp_path / "rose.jpg", b"a tulip"], task_id=TASK_ID)
        client.predict(b"a tulip", project=("7", "4/2"))
    assert server.seen[0].body.count(b'name="picture"; filename=') == 2
    assert b'filename="rose.jpg"' in server.seen[1].body
    assert b"a rose" in server.seen[1].body
    assert server.seen[2].path == "/v1/projects/7/4%2F2/predict"
    with pytest.raises(ValueError, match="either task_id or project"), Client() as client:
        client.predict(b"a tulip")


@pytest.mark.parametrize("server", ["127.0.0.1:2333", "ftp://example.org", "http://", ""])
def test_an_address_that_is_none_is_refused_with_an_example(server: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match=r"http://127\.0\.0\.1:2333"):
            kind(server)


def test_a_server_behind_a_path_of_a_proxy_is_reached(make: Make) -> None:
    with ScriptedHttp(DONE) as server, make(f"{server.address}/tfmodel/") as client:
        client.task(TASK_ID)
    assert server.seen[0].path == f"/tfmodel/v1/tasks/{TASK_ID}"


def test_names_that_would_lead_to_another_call_are_refused() -> None:
    with Client() as client:
        for name in ("", ".", ".."):
            with pytest.raises(ValueError, match="pass its name or id"):
                client.task(name)


def test_both_clients_have_the_same_calls() -> None:
    def calls(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")} - {"close", "aclose"}

    assert calls(Client) == calls(AsyncClient)
    assert len(calls(Client)) > 20
