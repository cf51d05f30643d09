"""Tokens at a real front-end: who sees and touches what, and where a token never appears."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

import pytest

from protocol import messages as m
from tests.security.raw_http import FORM, RawCaller, ask, request
from tests.socket.programs import Answer, Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import TIMEOUT_S, wait_until


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    folder = tmp_path_factory.mktemp("tokens")
    with Programs(folder, HOME=folder / "state") as running:
        yield running


@pytest.fixture(scope="module")
def everybody(programs: Programs) -> dict[str, str]:
    """Headers with a token for all users."""
    return programs.make_token("website")


@pytest.fixture(scope="module")
def anna(programs: Programs) -> dict[str, str]:
    return programs.make_token("anna", "--user", "anna")


@pytest.fixture(scope="module")
def looker(programs: Programs) -> dict[str, str]:
    return programs.make_token("looker", "--read-only")


def check(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.body.get("code")) == (status, code), answer


def post_id(programs: Programs, headers: dict[str, str], user: str) -> str:
    answer = programs.post(headers, userId=user)
    assert answer.status == 200, answer
    return str(answer.body["taskId"])


# ---- one user's token ----


@pytest.mark.door(16)
def test_another_users_task_looks_like_none(
    programs: Programs, everybody: dict[str, str], anna: dict[str, str]
) -> None:
    own, other = post_id(programs, anna, "anna"), post_id(programs, everybody, "bert")
    nobody = "0" * 32
    calls = [
        ("GET", "/?taskId={}"),
        ("GET", "/v1/tasks/{}"),
        ("DELETE", "/v1/tasks/{}"),
        ("POST", "/v1/tasks/{}/stop"),
        *(("GET", f"/v1/tasks/{{}}/{part}") for part in ("report", "log", "log?follow=1", "metrics", "artifacts")),
        *(("GET", f"/v1/tasks/{{}}/{part}") for part in ("artifacts.zip", "artifacts/model.tflite", "pictures/1.jpg")),
    ]
    for method, path in calls:
        theirs = programs.call(method, path.format(other), sent=anna)
        none = programs.call(method, path.format(nobody), sent=anna)
        check(theirs, 404, "unknown_task")
        assert theirs.body == {**none.body, "error": none.body["error"].replace(nobody, other)}
        differing = {name for name in theirs.headers if theirs.headers[name] != none.headers.get(name)} - {
            "date",
            "x-request-id",
        }
        assert not differing
    assert programs.call("GET", f"/?taskId={other}", sent=everybody).body["state"] == "pending"
    assert programs.call("GET", f"/?taskId={own}", sent=anna).body["state"] == "pending"
    assert programs.call("DELETE", f"/v1/tasks/{own}", sent=anna).body["state"] == "cancelled"


@pytest.mark.door(16)
def test_it_posts_for_its_own_user_only(programs: Programs, everybody: dict[str, str], anna: dict[str, str]) -> None:
    answer = programs.post(anna, userId="bert")
    check(answer, 403, "user_not_allowed")
    assert "'anna'" in answer.body["error"]
    check(programs.post(anna, userId="Anna"), 403, "user_not_allowed")
    key = {"Idempotency-Key": "same-key"}
    berts = programs.post({**everybody, **key}, userId="bert").body["taskId"]
    check(programs.post({**anna, **key}, userId="bert"), 403, "user_not_allowed")
    assert programs.post({**anna, **key}, userId="anna").body["taskId"] != berts


@pytest.mark.door(16)
def test_it_does_not_learn_what_the_workers_train(
    programs: Programs, everybody: dict[str, str], anna: dict[str, str]
) -> None:
    with ScriptedWorker(programs.endpoints.worker) as worker:
        berts = str(programs.post(everybody, userId="bert", priority="100").body["taskId"])
        worker.join()
        assert worker.receive(m.Start).spec.task_id == berts
        wait_until(lambda: worked_on(programs, everybody) == [berts], "the worker's task")
        assert worked_on(programs, anna) == [""]


def worked_on(programs: Programs, headers: dict[str, str]) -> list[str]:
    """The tasks that the workers hold, as this caller is told."""
    return [worker["taskId"] for worker in programs.get("/v1/workers", **headers).body["workers"]]


# ---- a token that may only look ----


@pytest.mark.door(16)
def test_it_looks_and_changes_nothing(programs: Programs, everybody: dict[str, str], looker: dict[str, str]) -> None:
    task_id = post_id(programs, everybody, "anna")
    assert programs.get(f"/v1/tasks/{task_id}", **looker).body["state"] == "pending"
    assert ask(programs.ports["WEB_PORT"], f"HEAD /?taskId={task_id} HTTP/1.1", *lines_of(looker)).status == 200
    for answer in (
        programs.post(looker),
        programs.call("DELETE", f"/v1/tasks/{task_id}", sent=looker),
        programs.call("POST", f"/v1/tasks/{task_id}/stop", sent=looker),
    ):
        check(answer, 403, "read_only_token")
    assert programs.get(f"/?taskId={task_id}", **everybody).body["state"] == "pending"


def lines_of(headers: dict[str, str]) -> list[str]:
    return [f"{name}: {value}" for name, value in headers.items()]


@pytest.mark.door(15)
def test_a_body_that_is_too_large_is_refused_before_the_token_is_asked(
    programs: Programs, everybody: dict[str, str]
) -> None:
    for headers in ({}, everybody):
        lines = ["POST /v1/tasks/x/stop HTTP/1.1", *lines_of(headers), "Content-Length: 99999999"]
        assert ask(programs.ports["WEB_PORT"], *lines).code == "body_too_large"
    assert ask(programs.ports["WEB_PORT"], "POST / HTTP/1.1", FORM, body=b"userId=a").code == "unauthorized"


# ---- the commands, without a restart ----


@pytest.mark.door(16)
def test_tokens_are_made_listed_and_revoked_while_it_runs(programs: Programs, everybody: dict[str, str]) -> None:
    headers = programs.make_token("guest", "--user", "carl", "--read-only")
    wait_until(lambda: programs.get("/v1/workers", **headers).status == 200, "the new token to count")
    path = f"/v1/tasks/{post_id(programs, everybody, 'carl')}/log?follow=1"
    follower = http.client.HTTPConnection("127.0.0.1", programs.ports["WEB_PORT"], timeout=TIMEOUT_S)
    follower.request("GET", path, headers=headers)
    followed = follower.getresponse()
    listed = programs.run("server.py", "token", "list").stdout
    assert "guest" in listed
    assert "'carl'" in listed
    assert headers["Authorization"].removeprefix("Bearer ") not in listed
    assert programs.run("server.py", "token", "create", "guest").returncode == 1
    assert programs.run("server.py", "token", "revoke", "guest").returncode == 0
    wait_until(lambda: programs.get("/v1/workers", **headers).status == 401, "the end of the token")
    assert (followed.status, followed.read()) == (200, b""), "the log is still sent to a token that was revoked"
    follower.close()
    again = programs.run("server.py", "token", "revoke", "guest")
    assert (again.returncode, "no token named 'guest'" in again.stderr) == (1, True)
    assert programs.get("/v1/workers", **everybody).status == 200


@pytest.mark.door(16)
def test_a_damaged_list_refuses_everybody_until_it_is_mended(
    programs: Programs, everybody: dict[str, str], anna: dict[str, str]
) -> None:
    file = programs.folder / "state" / "var" / "tokens.json"
    good = file.read_bytes()
    try:
        file.write_bytes(good[:-20])
        wait_until(lambda: programs.get("/v1/workers", **everybody).status == 503, "the damage to be seen")
        check(programs.get("/v1/workers", **everybody), 503, "tokens_unreadable")
        check(programs.get("/v1/workers"), 503, "tokens_unreadable")
        assert programs.get("/healthz").status == 200
        assert "tokens.json" in programs.log_of("web")
        assert "tokens.json" not in str(programs.get("/v1/workers").body)
    finally:
        file.write_bytes(good)
    wait_until(lambda: programs.get("/v1/workers", **everybody).status == 200, "the list mended")


# ---- where a token never appears ----


@pytest.mark.door(16)
def test_a_token_in_the_url_is_refused_whatever_it_is_called(programs: Programs, everybody: dict[str, str]) -> None:
    token = everybody["Authorization"].removeprefix("Bearer ")
    encoded = f"%74fm_{token.removeprefix('tfm_')}"
    for query in (
        *("token=secret", "access_token=secret", "api_key=secret", "Token=secret", "%74oken=secret"),
        *(f"taskId={token}", f"taskId={encoded}", f"x={token}", f"taskId=a&x={token}"),
    ):
        for path in ("/", "/v1/tasks/x", "/v1/workers", "/healthz", "/nothing"):
            check(programs.get(f"{path}?{query}"), 400, "token_in_url")
            check(programs.get(f"{path}?{query}", **everybody), 400, "token_in_url")


@pytest.mark.door(16)
def test_no_log_holds_a_token_wherever_it_was_sent(programs: Programs, everybody: dict[str, str]) -> None:
    token = everybody["Authorization"].removeprefix("Bearer ")
    port = programs.ports["WEB_PORT"]
    wrong_places = [
        request(f"GET /?token={token} HTTP/1.1"),
        request(f"GET /?taskId={token} HTTP/1.1"),
        request(f"GET /v1/tasks/{token} HTTP/1.1", f"Authorization: Bearer {token}"),
        request(f"GET /v1/tasks/%74fm_{token[4:]} HTTP/1.1", f"Authorization: Bearer {token}"),
        request(f"GET /{token} HTTP/1.1"),
        request(f"{token} / HTTP/1.1"),
        request(f"GET / {token} HTTP/1.1"),
        request("GET / HTTP/1.1", f"Host: {token}"),
        request("GET / HTTP/1.1", f"Host: {token}@localhost"),
        request("GET / HTTP/1.1", f"Origin: {token}"),
        request("GET / HTTP/1.1", f"{token}: x"),
        request("GET / HTTP/1.1", f"X-Token {token}"),
        request("GET / HTTP/1.1", f"Authorization: Bearer {token}\x00"),
        request("GET / HTTP/1.1", f"Authorization: Basic {token}"),
        request("POST / HTTP/1.1", f"Content-Type: {token}", f"Authorization: Bearer {token}", body=b"x"),
        request(
            "POST / HTTP/1.1", FORM, f"Authorization: Bearer {token}", body=f"token={token}&userId={token}".encode()
        ),
        request("POST / HTTP/1.1", f"Content-Length: {token}"),
        request("POST / HTTP/1.1", f"Transfer-Encoding: {token}"),
        f"GET {token}\r\n\r\n".encode(),
        f"{token}\r\n\r\n".encode(),
    ]
    for sent in wrong_places:
        with RawCaller(port) as caller:
            caller.send(sent)
            assert 400 <= caller.read_answer().status < 500, sent
    log = programs.log_of("web")
    assert "tfm_…" in log
    assert token[8:20] not in log
    assert token[8:20] not in programs.log_of("broker")


@pytest.mark.door(16)
def test_a_token_corrects_for_its_own_user_and_not_at_all_if_it_may_only_read(
    programs: Programs, anna: dict[str, str], looker: dict[str, str]
) -> None:
    def correct(headers: dict[str, str], user: str) -> Answer:
        changes = [{"picture": "rose/1.jpg", "action": "exclude"}]
        body = {"userId": user, "projectId": "p", "projectDir": "anna/flowers", "changes": changes}
        sent = {**headers, "Content-Type": "application/json"}
        return programs.call("POST", "/v1/corrections", json.dumps(body).encode(), sent)

    def read(headers: dict[str, str], user: str) -> Answer:
        return programs.get(f"/v1/corrections?userId={user}&projectDir=anna/flowers", **headers)

    check(correct(anna, "bert"), 403, "user_not_allowed")
    check(read(anna, "bert"), 403, "user_not_allowed")
    check(correct(looker, "anna"), 403, "read_only_token")
    assert not (programs.projects / "anna" / "flowers" / "corrections.csv").exists()
    assert correct(anna, "anna").status == 200
    assert len(read(looker, "anna").body["corrections"]) == 1


# ---- beyond this machine ----


@pytest.mark.door(16)
def test_beyond_this_machine_nothing_starts_without_a_token(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("public")
    with Programs(folder, start=False, HOME=folder / "state", WEB_HOST="0.0.0.0") as programs:
        refused = programs.run("server.py", "run")
        assert refused.returncode == 78
        assert "server.py token create" in refused.stderr
        headers = programs.make_token("website")
        programs.start("broker")
        programs.start("web")
        programs.wait_synced()
        assert programs.get("/v1/workers").status == 401
        assert programs.get("/v1/workers", **headers).status == 200
        assert "allowed_hosts" in programs.log_of("web")
        check(programs.get("/v1/workers", **headers, Host="tfmodel.internal"), 403, "foreign_host")
