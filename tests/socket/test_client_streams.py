"""The Python client's events, logs and waiting while connections are cut: nothing is missed, nothing comes twice."""

from __future__ import annotations

import io
import json
import sys
import time
from typing import Any

import pytest

from tests.socket.both_clients import Make
from tests.socket.client_answers import TASK_ID, event, sample, task
from tests.socket.scripted_http import SILENCE, ScriptedHttp, answer, json_answer, stream
from tfmodel_client import Client, errors, event_source, retrying, waiting
from tfmodel_client.types import EventList

pytestmark = pytest.mark.usefixtures("short_pauses")

CUT = b""
NO_MORE = b"HTTP/1.1 204 No Content\r\n\r\n"


def block(number: int, kind: str = "task.started", **changes: Any) -> str:
    """An event as it goes over the line. A progress has no id line."""
    head = "" if kind == "task.progress" else f"id: {number}\n"
    return f"{head}event: {kind}\ndata: {json.dumps(event(number, kind, **changes))}\n\n"


def test_a_stream_that_is_cut_goes_on_behind_the_last_whole_event(make: Make) -> None:
    whole = block(3)
    connections = [
        stream("retry: 100\n\n", block(1), block(2), block(2, "task.progress", progress=40.0), whole[:-1]),
        CUT,
        answer(503, b"<html>"),
        # It says again what the client has had already.
        stream(block(2), whole, ": a comment\n\n", block(4)[:30]),
        stream(block(4), block(5, "task.done")),
    ]
    with ScriptedHttp(*connections) as server, make(server.address) as client:
        found = [(each.id, each.type) for each in client.events(TASK_ID)]
    assert found == [
        (1, "task.started"),
        (2, "task.started"),
        (2, "task.progress"),
        (3, "task.started"),
        (4, "task.started"),
        (5, "task.done"),
    ]
    assert [seen.headers.get("last-event-id") for seen in server.seen] == ["0", "2", "2", "2", "3"]
    assert {seen.path for seen in server.seen} == {f"/v1/tasks/{TASK_ID}/events"}
    assert {seen.headers["accept"] for seen in server.seen} == {"text/event-stream"}


def test_events_of_all_tasks_begin_now_and_do_not_end_with_one_of_them(make: Make) -> None:
    now = json_answer(sample(EventList, next=40))
    connections = [now, CUT, stream(block(41, "task.done"), block(42, "task.failed")), stream(block(43))]
    with ScriptedHttp(*connections) as server, make(server.address) as client:
        events = client.events(user_id="7", types=["task.done", "task.failed"])
        assert [next(events).id for _ in range(3)] == [41, 42, 43]
        events.close()  # type: ignore[attr-defined]
    query = "/v1/events?userId=7&types=task.done&types=task.failed"
    assert [seen.path for seen in server.seen] == [f"{query}&wait=0", query, query, query]
    # Nothing is missed although the first connection broke before it had said anything.
    assert [seen.headers.get("last-event-id") for seen in server.seen] == [None, "40", "40", "42"]


def test_the_stream_of_a_task_ends_when_the_server_has_no_more_events_for_it(make: Make) -> None:
    # A server that is stopped ends its streams as if they were complete. The last event is filtered out here.
    connections = [stream(block(1), ends=True), stream(block(2), ends=True), NO_MORE]
    with ScriptedHttp(*connections) as server, make(server.address) as client:
        assert [each.id for each in client.events(TASK_ID, types=["task.started"])] == [1, 2]
    assert [seen.headers["last-event-id"] for seen in server.seen] == ["0", "1", "2"]


def test_a_reset_is_told_and_the_events_go_on_behind_it(make: Make) -> None:
    reset = 'id: 5\nevent: reset\ndata: {"type": "reset", "id": 5, "tasks": [], "truncated": false}\n\n'
    connections = [stream(block(90)), stream(reset, block(6)), stream(block(6), block(7, "task.done"))]
    with ScriptedHttp(*connections) as server, make(server.address) as client:
        found = [(each.id, each.type) for each in client.events(TASK_ID)]
    # The numbers begin anew with another journal.
    assert found == [(90, "task.started"), (5, "reset"), (6, "task.started"), (7, "task.done")]
    assert [seen.headers["last-event-id"] for seen in server.seen] == ["0", "90", "6"]


def test_the_pause_before_a_reconnection_is_the_servers(make: Make) -> None:
    connections = [stream("retry: 400\n\n", block(1)), stream(block(2, "task.done"))]
    with ScriptedHttp(*connections) as server, make(server.address) as client:
        events = client.events(TASK_ID)
        next(events)
        started_s = time.monotonic()
        next(events)
        # At random between half of it and all of it, so that clients do not come back together.
        assert time.monotonic() - started_s >= 0.2
        events.close()  # type: ignore[attr-defined]


def test_a_connection_that_has_gone_silent_is_made_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_source, "SILENCE_S", 0.2)
    # On a busy machine an answer may be late as well, so there is one for each further try.
    answers = [stream(block(1, "task.done"))] * 100
    with ScriptedHttp(SILENCE, *answers) as server, make(server.address) as client:
        assert [each.id for each in client.events(TASK_ID)] == [1]


def test_what_would_fail_again_is_told(make: Make) -> None:
    missing = json_answer({"error": "There is no such task.", "code": "unknown_task"}, 404)
    page = answer(200, b"<html>", Content_Type="text/html")
    garbled = stream("data: {\n\n")
    with ScriptedHttp(missing, page, garbled) as server, make(server.address) as client:
        with pytest.raises(errors.NotFoundError, match="There is no such task"):
            list(client.events(TASK_ID))
        with pytest.raises(errors.UnreadableAnswerError, match="text/html"):
            list(client.events(TASK_ID))
        with pytest.raises(errors.UnreadableAnswerError, match="can't be read"):
            list(client.events(TASK_ID))


def test_an_event_of_a_newer_server_is_passed_on(make: Make) -> None:
    newer = {**event(1, "task.renamed"), "state": "sleeping", "colour": "red"}
    blocks = (f"id: 1\ndata: {json.dumps(newer)}\n\n", block(2, "task.done"))
    with ScriptedHttp(stream(*blocks)) as server, make(server.address) as client:
        assert [each.type for each in client.events(TASK_ID)] == ["task.renamed", "task.done"]


# ---- waiting ----


def test_wait_sees_the_end_across_cut_connections(make: Make) -> None:
    connections = [
        json_answer(task("pending", seq=7)),
        stream(block(8)),
        stream(block(8, "task.progress", progress=50.0), block(9, "task.done")),
        json_answer(task("done", seq=9)),
    ]
    heard: list[tuple[str, float]] = []
    with ScriptedHttp(*connections) as server, make(server.address) as client:
        found = client.wait(TASK_ID, on_event=lambda each: heard.append((each.type, each.progress)))
    assert found.state == "done"
    assert heard == [("task.started", 0.0), ("task.progress", 50.0), ("task.done", 0.0)]
    assert [seen.headers.get("last-event-id") for seen in server.seen] == [None, "7", "8", None]


@pytest.mark.parametrize("timeout_s", [None, 30.0], ids=["stream", "waiting calls"])
def test_wait_outlasts_a_server_that_is_away_at_the_end_of_the_task(
    make: Make, timeout_s: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PAUSE_S", 0.01)
    running, done = json_answer(task("processing", seq=8)), json_answer(task("done", seq=9))
    last = json_answer(sample(EventList, events=[event(9, "task.done")], next=9))
    away = [CUT] * retrying.TRIES
    connections = [running, stream(block(9, "task.done")), *away, NO_MORE, done]
    if timeout_s is not None:
        connections = [running, CUT, CUT, last, done]
    with ScriptedHttp(*connections) as server, make(server.address) as client:
        assert client.wait(TASK_ID, on_event=lambda _: None, timeout_s=timeout_s).state == "done"


def test_wait_looks_at_the_task_after_a_reset(make: Make) -> None:
    reset = 'id: 5\nevent: reset\ndata: {"type": "reset", "id": 5, "tasks": [], "truncated": false}\n\n'
    connections = [json_answer(task("pending", seq=90)), stream(reset), json_answer(task("cancelled", seq=5))]
    with ScriptedHttp(*connections) as server, make(server.address) as client:
        assert client.wait(TASK_ID, on_event=lambda each: pytest.fail(each.type)).state == "cancelled"


def test_wait_looks_at_the_task_when_there_are_no_more_events(make: Make) -> None:
    connections = [json_answer(task("processing", seq=8)), NO_MORE, json_answer(task("done", seq=9))]
    with ScriptedHttp(*connections) as server, make(server.address) as client:
        assert client.wait(TASK_ID).state == "done"


def test_wait_returns_at_once_for_a_task_that_has_ended(make: Make) -> None:
    with ScriptedHttp(json_answer(task("failed"))) as server, make(server.address) as client:
        assert client.wait(TASK_ID).state == "failed"


def test_wait_gives_up_in_time_and_says_that_the_task_goes_on(make: Make) -> None:
    nothing = json_answer(sample(EventList, next=7))
    with (
        ScriptedHttp(json_answer(task("processing", seq=7)), *[nothing] * 5000) as server,
        make(server.address) as client,
        pytest.raises(errors.WaitTimeoutError, match="goes on") as found,
    ):
        client.wait(TASK_ID, on_event=print, timeout_s=0.9)
    assert isinstance(found.value, TimeoutError)
    assert server.seen[1].path.startswith(f"/v1/tasks/{TASK_ID}/events?since=7&wait=0.")


def test_wait_shows_lines_where_there_is_no_terminal(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    progress = [
        block(1, "task.progress", progress=value, phase="train", state="processing") for value in (11.0, 12.0, 25.0)
    ]
    failed = block(2, "task.failed", progress=25.0, error="No picture can be read.")
    connections = [json_answer(task("processing")), stream(*progress, failed), json_answer(task("failed"))]
    with ScriptedHttp(*connections) as server, make(server.address) as client:
        client.wait(TASK_ID)
    assert shown.getvalue().splitlines() == [
        "20:00:00  11.0 % processing · train",
        "20:00:00  25.0 % processing · train",
        "20:00:00  25.0 % task.failed · No picture can be read.",
    ]


def test_wait_shows_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    connections = [
        json_answer(task("processing")),
        stream(block(2, "task.done", progress=100.0)),
        json_answer(task("done")),
    ]
    with ScriptedHttp(*connections) as server, Client(server.address) as client:
        client.wait(TASK_ID)
    assert "100.0 % task.done" in shown.getvalue()


# ---- logs ----


def test_a_log_goes_on_behind_its_last_byte(make: Make) -> None:
    text = "first line\nzweite Zeile: ä\nlast"
    cut = len(b"first line\nzweite Zeile: ") + 1  # in the middle of a letter
    pieces = [text.encode()[:cut], text.encode()[cut:]]
    connections = [
        answer(200, pieces[0], length=len(text.encode()), Content_Type="text/plain"),
        CUT,
        answer(200, pieces[1], Content_Type="text/plain"),
    ]
    with ScriptedHttp(*connections) as server, make(server.address) as client:
        assert list(client.log(TASK_ID, follow=True)) == text.splitlines()
    assert [seen.path.partition("?")[2] for seen in server.seen] == [
        "follow=1&offset=0",
        f"follow=1&offset={cut}",
        f"follow=1&offset={cut}",
    ]


def test_a_log_that_can_t_be_read_is_given_up(make: Make) -> None:
    missing = json_answer({"error": "There is no log.", "code": "unknown_task"}, 404)
    with ScriptedHttp(missing, *[CUT] * 9) as server, make(server.address) as client:
        with pytest.raises(errors.NotFoundError):
            list(client.log(TASK_ID))
        with pytest.raises(errors.UnreachableError):
            list(client.log(TASK_ID))
    assert len(server.seen) == 1 + retrying.TRIES
