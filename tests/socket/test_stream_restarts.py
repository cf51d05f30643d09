"""Readers of events while front-end, broker and journal come and go: no fact is missed, and no progress goes back."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol import messages as m
from tests.sample_scrape import Scrape
from tests.socket.event_stream import EventStream
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.socket.training_reports import next_progress
from tests.waiting import wait_until


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    with Programs(tmp_path) as programs:
        yield programs


@pytest.fixture
def worker(programs: Programs) -> Iterator[ScriptedWorker]:
    with ScriptedWorker(programs.endpoints.worker) as worker:
        worker.join()
        worker.connect_progress(programs.endpoints.collect)
        yield worker


def stream(programs: Programs, path: str = "/v1/events", **headers: str) -> EventStream:
    return EventStream(programs.ports["WEB_PORT"], path, **headers)


def test_a_reader_comes_back_to_a_restarted_front_end_and_has_missed_nothing(
    programs: Programs, worker: ScriptedWorker
) -> None:
    with stream(programs) as events:
        first = programs.post_id()
        start = worker.receive(m.Start)
        seen = [events.next(), events.next()]
        next_progress(events, worker, start, 40.0)
        programs.kill("web")
    worker.finish(start)  # Nobody listens.
    worker.send(m.Heartbeat(ready=True))
    programs.start("web")
    programs.wait_synced()
    second = programs.post_id()
    worker.receive(m.Start)
    with stream(programs, Last_Event_ID=seen[-1].id) as events:
        missed = [events.next() for _ in range(3)]
        assert [(event.type, event.data["taskId"]) for event in missed] == [
            *(("task.done", first), ("task.submitted", second), ("task.started", second)),
        ]
        assert [int(event.id) for event in [*seen, *missed]] == [1, 2, 3, 4, 5]


def test_progress_does_not_go_back_when_the_front_end_is_restarted(programs: Programs, worker: ScriptedWorker) -> None:
    task_id = programs.post_id()
    start = worker.receive(m.Start)
    with stream(programs, f"/v1/tasks/{task_id}/events") as events:
        before = next_progress(events, worker, start, 40.0).data["progress"]
    programs.kill("web")
    programs.start("web")
    programs.wait_synced()
    with stream(programs, f"/v1/tasks/{task_id}/events?types=task.progress") as events:
        # The worker has not reported again, so this comes from the broker's snapshot.
        assert events.next("task.progress").data["progress"] >= before


def test_a_stream_outlives_a_restart_of_the_broker(programs: Programs, worker: ScriptedWorker) -> None:
    with stream(programs) as events:
        task_id = programs.post_id()
        start = worker.receive(m.Start)
        next_progress(events, worker, start, 20.0)
        programs.kill("broker")
        programs.start("broker")
        holding = m.Holding(task_id, start.attempt)
        worker.knock(m.Heartbeat(False, holding))
        worker.hello(ready=False, holds=holding)
        worker.receive(m.Welcome)
        next_progress(events, worker, start, 30.0)
        worker.finish(start)
        assert events.next("task.done").id == "3"


def test_readers_of_a_restored_journal_get_the_state_instead_of_events_of_the_other_one(
    programs: Programs, worker: ScriptedWorker, tmp_path: Path
) -> None:
    kept = programs.post_id()
    worker.receive(m.Start)
    programs.stop("broker", signal.SIGTERM)
    backup = tmp_path / "backup.sqlite3"
    shutil.copy(programs.journal, backup)
    programs.start("broker")
    with stream(programs) as events, stream(programs, f"/v1/tasks/{kept}/events?since=2") as of_task:
        lost = [programs.post_id() for _ in range(3)]
        last = [events.next("task.submitted") for _ in lost][-1]
        programs.kill("broker")
        for file in tmp_path.glob("journal.sqlite3*"):
            if file.suffix != ".lock":
                file.unlink()
        shutil.copy(backup, programs.journal)
        programs.start("broker")
        for reader in (events, of_task):
            reset = reader.next("reset")
            assert reset.data["id"] == int(reset.id) == 2
            assert [task["taskId"] for task in reset.data["tasks"]] == [kept]
            assert reset.data["truncated"] is False
        again = programs.post_id()
        assert events.next().data["taskId"] == again
    with stream(programs, Last_Event_ID=last.id) as events:
        assert events.next().type == "reset"
    waited = programs.get(f"/v1/events?wait=0&since={last.id}").body
    assert (waited["events"], waited["next"], waited["reset"]) == ([], 3, True)


def test_a_front_end_that_is_asked_to_stop_ends_its_streams_and_waiting_calls(programs: Programs) -> None:
    with (
        stream(programs) as events,
        stream(programs, "/v1/events?wait=60&since=0") as waiting,
    ):
        wait_until(lambda: Scrape(programs.ports["WEB_PORT"]).value("tfmodel_streams") == 2, "both to be served")
        assert programs.stop("web", signal.SIGTERM) == 0
        assert list(events) == []
        assert events.was_ended_by_chunk
        assert waiting.body() == {"events": [], "next": 0, "reset": False}
