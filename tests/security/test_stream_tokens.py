"""Event streams and tokens: one user's token shows that user's events only, and a revoked token ends its streams."""

from __future__ import annotations

import concurrent.futures
import re
from collections.abc import Iterator

import pytest

from tests.security.raw_http import ask
from tests.security.test_http_tokens import lines_of
from tests.socket.event_stream import EventStream
from tests.socket.programs import Answer, Programs
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    folder = tmp_path_factory.mktemp("streams")
    with Programs(folder, HOME=folder / "state") as running:
        running.make_token("website")
        yield running


@pytest.fixture(scope="module")
def website(programs: Programs) -> dict[str, str]:
    return programs.make_token("everybody")


@pytest.fixture(scope="module")
def anna(programs: Programs) -> dict[str, str]:
    return programs.make_token("anna", "--user", "anna")


def stream(programs: Programs, path: str, headers: dict[str, str]) -> EventStream:
    return EventStream(programs.ports["WEB_PORT"], path, **headers)


@pytest.mark.door(16)
def test_a_token_of_one_user_shows_events_of_that_user_only(
    programs: Programs, website: dict[str, str], anna: dict[str, str]
) -> None:
    with stream(programs, "/v1/events", anna) as events:
        assert events.status == 200
        bertas = programs.post(website, userId="berta").body["taskId"]
        annas = programs.post(website).body["taskId"]
        first = events.next()
        assert first.data["taskId"] == annas
    waited = programs.get(f"/v1/events?wait=0&since={int(first.id) - 2}", **anna).body
    assert [event["taskId"] for event in waited["events"]] == [annas]
    with stream(programs, "/v1/events?since=999999", anna) as events:
        reset = events.next("reset")
        assert {task["userId"] for task in reset.data["tasks"]} == {"anna"}
    refused = programs.get("/v1/events?userId=berta&wait=0", **anna)
    assert (refused.status, refused.body["code"]) == (403, "user_not_allowed")
    for path in (f"/v1/tasks/{bertas}/events", f"/v1/tasks/{bertas}/events?wait=0"):
        unknown = programs.get(path, **anna)
        assert (unknown.status, unknown.body["code"]) == (404, "unknown_task")
    assert programs.get("/v1/events?wait=0").status == 401


@pytest.mark.door(16)
def test_a_revoked_token_ends_its_streams(programs: Programs, website: dict[str, str]) -> None:
    leaving = programs.make_token("leaving", "--read-only")
    with stream(programs, "/v1/events", leaving) as events, stream(programs, "/v1/events", website) as others:
        assert events.status == others.status == 200
        assert programs.run("server.py", "token", "revoke", "leaving").returncode == 0
        assert list(events) == []
        assert events.was_ended_by_chunk
        task_id = programs.post(website).body["taskId"]
        assert others.next("task.submitted").data["taskId"] == task_id


@pytest.mark.door(16)
def test_a_waiting_call_tells_nothing_to_a_revoked_token(programs: Programs, website: dict[str, str]) -> None:
    """The event for which it waits may happen when the token has long been revoked."""
    waiting_token = programs.make_token("waiting")
    task_id = programs.post(website).body["taskId"]
    seq = programs.get(f"/v1/tasks/{task_id}", **website).body["seq"]
    paths = [f"{path}?wait=60&since={seq}" for path in ("/v1/events", f"/v1/tasks/{task_id}")]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        calls = [pool.submit(programs.get, path, **waiting_token) for path in paths]
        wait_until(lambda: open_calls(programs, website) == len(paths), "the waiting calls")
        assert programs.run("server.py", "token", "revoke", "waiting").returncode == 0
        wait_until(lambda: programs.get("/v1/queue", **waiting_token).status == 401, "a revoked token")
        programs.call("DELETE", f"/v1/tasks/{task_id}", sent=website)
        answers: list[Answer] = [call.result() for call in calls]
    assert [(answer.status, answer.body["code"]) for answer in answers] == [(401, "unauthorized")] * len(paths)


def open_calls(programs: Programs, headers: dict[str, str]) -> int:
    """How many streams and waiting calls are open."""
    figures = ask(programs.ports["WEB_PORT"], "GET /metrics HTTP/1.1", *lines_of(headers)).body
    return int(float(re.findall(r"^tfmodel_streams (.*)$", figures.decode(), re.MULTILINE)[0]))
