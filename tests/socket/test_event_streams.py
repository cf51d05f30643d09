"""Event streams and waiting calls of a real front-end, with a real broker and a scripted worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from protocol import messages as m
from tests.sample_scrape import Scrape
from tests.socket.event_stream import EventStream
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.socket.training_reports import next_progress, report
from tests.waiting import wait_until

STORY = ["task.submitted", "task.started", "task.done"]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("streams")) as programs:
        yield programs


@pytest.fixture
def worker(programs: Programs) -> Iterator[ScriptedWorker]:
    with ScriptedWorker(programs.endpoints.worker) as worker:
        worker.join()
        worker.connect_progress(programs.endpoints.collect)
        yield worker
        worker.leave()


def stream(programs: Programs, path: str, **headers: str) -> EventStream:
    return EventStream(programs.ports["WEB_PORT"], path, **headers)


def finished_task(programs: Programs, worker: ScriptedWorker) -> str:
    task_id = programs.post_id()
    worker.finish(worker.receive(m.Start))
    worker.send(m.Heartbeat(ready=True))
    wait_until(lambda: programs.task(task_id).body["state"] == "done", "the end of the task")
    return task_id


def test_the_stream_of_a_task_tells_its_story_and_ends_with_it(programs: Programs, worker: ScriptedWorker) -> None:
    task_id = programs.post_id()
    start = worker.receive(m.Start)
    with stream(programs, f"/v1/tasks/{task_id}/events") as events:
        assert events.status == 200
        assert events.headers["content-type"] == "text/event-stream"
        assert events.headers["x-accel-buffering"] == "no"
        assert events.headers["cache-control"] == "no-store"
        first = [events.next(), events.next()]
        assert [event.type for event in first] == STORY[:2]
        assert [int(event.id) for event in first] == [event.data["id"] for event in first]
        progress = next_progress(events, worker, start, 10.0)
        assert progress.id == ""
        assert progress.data["id"] == first[1].data["id"]
        assert progress.data["phase"] == "train"
        assert (progress.data["epoch"], progress.data["epochsMax"]) == (3, 20)
        assert progress.data["metrics"] == {"accuracy": 0.5}
        assert (progress.data["etaSeconds"], progress.data["etaRangeSeconds"]) == (30.0, [20.0, 60.0])
        worker.finish(start)
        assert events.next("task.done").data["modelPath"].endswith("model.tflite")
        assert list(events) == []
        assert any(line.startswith("retry: ") for line in events.other_lines)
    worker.send(m.Heartbeat(ready=True))


def test_the_story_of_an_ended_task_is_told_again_from_where_the_caller_was(
    programs: Programs, worker: ScriptedWorker
) -> None:
    task_id = finished_task(programs, worker)
    with stream(programs, f"/v1/tasks/{task_id}/events") as events:
        story = list(events)
    assert [event.type for event in story] == STORY
    assert events.was_ended_by_chunk
    with stream(programs, f"/v1/tasks/{task_id}/events", Last_Event_ID=story[0].id) as events:
        assert list(events) == story[1:]
    with stream(programs, f"/v1/tasks/{task_id}/events?since={story[1].id}") as events:
        assert list(events) == story[2:]
    with stream(programs, f"/v1/tasks/{task_id}/events?since=0", Last_Event_ID=story[1].id) as events:
        assert list(events) == story[2:]
    with stream(programs, f"/v1/tasks/{task_id}/events?types=task.submitted,task.started") as events:
        assert list(events) == story[:2]


def test_a_browser_that_has_seen_the_end_of_a_task_is_told_not_to_come_back(
    programs: Programs, worker: ScriptedWorker
) -> None:
    task_id = finished_task(programs, worker)
    with stream(programs, f"/v1/tasks/{task_id}/events") as events:
        last = list(events)[-1]
    for path, headers in ((f"?since={last.id}", {}), ("", {"Last_Event_ID": last.id})):
        with stream(programs, f"/v1/tasks/{task_id}/events{path}", **headers) as events:
            assert events.status == 204
            assert "content-length" not in events.headers


def test_one_stream_has_the_events_of_all_tasks_or_those_that_were_asked_for(
    programs: Programs, worker: ScriptedWorker
) -> None:
    with (
        stream(programs, "/v1/events") as everything,
        stream(programs, "/v1/events?userId=berta") as of_berta,
        stream(programs, "/v1/events?projectId=trees&types=task.done") as ends,
    ):
        ids = {
            "anna": finished_task(programs, worker),
            "berta": programs.post_id(userId="berta", projectId="trees"),
        }
        worker.finish(worker.receive(m.Start))
        worker.send(m.Heartbeat(ready=True))
        seen = [everything.next() for _ in range(6)]
        assert [(event.data["userId"], event.type) for event in seen] == [
            *(("anna", name) for name in STORY),
            *(("berta", name) for name in STORY),
        ]
        assert [int(event.id) for event in seen] == list(range(int(seen[0].id), int(seen[0].id) + 6))
        assert [of_berta.next() for _ in range(3)] == seen[3:]
        assert ends.next() == seen[5]
        assert ends.read(0.0) is None
        assert {event.data["taskId"] for event in seen} == set(ids.values())
    with stream(programs, f"/v1/events?since={seen[0].id}&userId=anna") as again:
        assert [again.next(), again.next()] == seen[1:3]


def test_progress_comes_at_most_about_twice_a_second_and_the_newest_is_never_kept_back(
    programs: Programs, worker: ScriptedWorker
) -> None:
    task_id = programs.post_id()
    start = worker.receive(m.Start)
    with stream(programs, f"/v1/tasks/{task_id}/events?types=task.progress") as events:
        before = next_progress(events, worker, start, 10.0).data["progress"]
        began_s = time.monotonic()
        for percent in range(400, 500):
            report(worker, start, percent / 10)
        seen = [before]
        while seen[-1] < 49.9:
            seen.append(events.next("task.progress").data["progress"])
        assert seen == sorted(seen)
        most = 4 + 2 * (time.monotonic() - began_s)
        assert len(seen) <= most, "a hundred reports within a moment are not a hundred events"
    worker.finish(start)
    worker.send(m.Heartbeat(ready=True))


def test_head_answers_with_the_headers_and_an_old_proxy_gets_no_chunks(
    programs: Programs, worker: ScriptedWorker
) -> None:
    task_id = finished_task(programs, worker)
    path, port = f"/v1/tasks/{task_id}/events", programs.ports["WEB_PORT"]
    with EventStream(port, path, method="HEAD") as events:
        assert (events.status, events.headers["content-type"]) == (200, "text/event-stream")
        assert "connection" not in events.headers
        assert events.read(0.0) is None
    with EventStream(port, path, version="HTTP/1.0") as events:
        assert "transfer-encoding" not in events.headers
        assert [event.type for event in events] == STORY
    with EventStream(port, "/v1/events", version="HTTP/1.0", Connection="keep-alive") as events:
        task_id = finished_task(programs, worker)
        assert [events.next().type for _ in STORY] == STORY


# ---- waiting calls ----


def test_a_waiting_call_is_answered_as_soon_as_something_happens(programs: Programs, worker: ScriptedWorker) -> None:
    task_id = finished_task(programs, worker)
    path = f"/v1/tasks/{task_id}/events"
    whole = programs.get(f"{path}?wait=0").body
    assert [event["type"] for event in whole["events"]] == STORY
    assert (whole["next"], whole["reset"]) == (whole["events"][-1]["id"], False)
    now = programs.get("/v1/events?wait=0").body
    assert (now["events"], now["reset"]) == ([], False)
    nothing = programs.get(f"/v1/events?wait=0.05&since={now['next']}").body
    assert nothing == now
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(programs.get(f"/v1/events?wait=60&since={now['next']}").body)
    )
    waiting.start()
    wait_until(lambda: open_streams(programs) == 1, "a waiting call")
    new = programs.post_id()
    waiting.join()
    assert [(event["type"], event["taskId"]) for event in answers[0]["events"]][:1] == [("task.submitted", new)]
    worker.finish(worker.receive(m.Start))
    worker.send(m.Heartbeat(ready=True))


def open_streams(programs: Programs) -> float | None:
    return Scrape(programs.ports["WEB_PORT"], "").value("tfmodel_streams")


def test_new_progress_ends_a_waiting_call_and_known_progress_does_not(
    programs: Programs, worker: ScriptedWorker
) -> None:
    task_id = programs.post_id()
    start = worker.receive(m.Start)
    with stream(programs, f"/v1/tasks/{task_id}/events") as events:
        next_progress(events, worker, start, 10.0)
        since = programs.get(f"/v1/tasks/{task_id}/events?wait=0").body["next"]
        path = f"/v1/tasks/{task_id}/events?since={since}"
        assert programs.get(f"{path}&wait=0.05").body["events"] == []
        with EventStream(programs.ports["WEB_PORT"], f"{path}&wait=60") as waiting:
            wait_until(lambda: open_streams(programs) == 2, "a waiting call beside the stream")
            next_progress(events, worker, start, 20.0)
            (event,) = waiting.body()["events"]
        assert (event["type"], event["id"]) == ("task.progress", since)
    worker.finish(start)
    worker.send(m.Heartbeat(ready=True))


@pytest.mark.parametrize(
    ("path", "headers", "status", "field"),
    [
        ("/v1/events?wait=61", {}, 400, "wait"),
        ("/v1/events?since=-1", {}, 400, "since"),
        ("/v1/events?types=task.gone", {}, 400, "types"),
        ("/v1/events?tasks=all", {}, 400, "tasks"),
        ("/v1/events", {"Last_Event_ID": "abc"}, 400, "Last-Event-ID"),
        (f"/v1/tasks/{'0' * 32}/events", {}, 404, ""),
        ("/v1/tasks/nope/events", {}, 404, ""),
    ],
)
def test_a_bad_question_is_refused_with_a_sentence(
    programs: Programs, path: str, headers: dict[str, str], status: int, field: str
) -> None:
    with stream(programs, path, **headers) as events:
        assert events.status == status
        assert events.headers["content-type"] == "application/json"
        problem = events.body()
    assert field in problem["error"]


def test_a_question_for_a_task_may_wait_until_something_has_changed(programs: Programs, worker: ScriptedWorker) -> None:
    task_id = programs.post_id()
    start = worker.receive(m.Start)
    seen = wait_until(lambda: processing(programs, task_id), "the start of the task")
    path = f"/v1/tasks/{task_id}?since={seen['seq']}"
    assert programs.get(f"{path}&wait=0.05").body["seq"] == seen["seq"]
    assert programs.get(f"/v1/tasks/{task_id}?since={seen['seq'] - 1}&wait=60").body["seq"] == seen["seq"]
    with EventStream(programs.ports["WEB_PORT"], f"{path}&wait=60") as waiting:
        wait_until(lambda: open_streams(programs) == 1, "a waiting call")
        worker.finish(start)
        assert waiting.body()["state"] == "done"
    assert programs.get(f"/v1/tasks/{task_id}?since=999999&wait=60").body["state"] == "done", "nothing more can happen"
    worker.send(m.Heartbeat(ready=True))


def processing(programs: Programs, task_id: str) -> dict[str, Any]:
    body = programs.get(f"/v1/tasks/{task_id}").body
    return body if body["state"] == "processing" else {}


def test_a_waiting_call_whose_caller_is_gone_leaves_its_slot(programs: Programs) -> None:
    task_id = programs.post_id()
    port, seq = programs.ports["WEB_PORT"], programs.get(f"/v1/tasks/{task_id}").body["seq"]
    paths = (f"/v1/tasks/{task_id}?since={seq}&wait=60", "/v1/events?wait=60")
    waiting = [EventStream(port, path) for path in paths]
    wait_until(lambda: open_streams(programs) == len(paths), "the waiting calls")
    for each in waiting:
        each.close()
    wait_until(lambda: open_streams(programs) == 0, "their slots")
    programs.call("DELETE", f"/v1/tasks/{task_id}")
