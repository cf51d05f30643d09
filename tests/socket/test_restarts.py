"""Broker and front-end are killed and started again: nothing that was promised is lost, no training interrupted."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from broker.sqlite_journal.journal import SqliteJournal
from protocol import messages as m
from protocol.task import TaskState
from tests.sample_tasks import hex_id
from tests.security.raw_http import RawCaller, request
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import TIMEOUT_S, wait_until


def progress_of(programs: Programs, task_id: str) -> float:
    return float(programs.task(task_id).body["progress"])


def publish_until_seen(programs: Programs, worker: ScriptedWorker, holding: m.Holding, from_percent: float) -> float:
    """Publish rising progress, as an agent does, until GET shows some of it; returns what it shows."""
    percents = itertools.count(int(from_percent * 10) + 1)

    def seen() -> float:
        percent = min(next(percents) / 10, 99.0)
        worker.publish(m.Progress(holding.task_id, holding.attempt, percent, "training"))
        shown = progress_of(programs, holding.task_id)
        return shown if shown > from_percent else 0.0

    return wait_until(seen, f"progress beyond {from_percent}")


def test_a_task_that_was_answered_is_in_the_journal(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        answer = programs.post(epochs="7")
        programs.kill("broker")
        task_id = answer.body["taskId"]
        with SqliteJournal(programs.journal) as journal:
            task = journal.task(task_id)
        assert task is not None
        assert (task.state, task.spec.options) == (TaskState.PENDING, {"epochs": 7})
        programs.kill("web")  # It must not answer from its memory.
        programs.start("broker")
        programs.start("web")
        programs.wait_synced()
        assert programs.task(task_id).body == answer.body


def test_a_restarted_front_end_gives_the_same_answers(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs, ScriptedWorker(programs.endpoints.worker) as worker:
        worker.join()
        worker.connect_progress(programs.endpoints.collect)
        done = programs.post_id()
        worker.finish(worker.receive(m.Start))
        running = programs.post_id()
        worker.send(m.Heartbeat(ready=True, holds=None))
        start = worker.receive(m.Start)
        waiting, cancelled = programs.post_id(), programs.post_id()
        programs.call("DELETE", f"/v1/tasks/{cancelled}")
        publish_until_seen(programs, worker, m.Holding(running, start.attempt), 30.0)
        ids = (done, running, waiting, cancelled)
        before = [programs.task(task_id).body for task_id in ids]
        assert [body["state"] for body in before] == ["done", "processing", "pending", "cancelled"]
        programs.kill("web")
        programs.start("web")
        programs.wait_synced()
        after = [programs.task(task_id).body for task_id in ids]
        assert after[1].pop("progress") >= before[1].pop("progress") > 30.0
        assert after == before


def test_a_restarted_broker_leaves_the_worker_its_lease_and_progress_goes_on(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs, ScriptedWorker(programs.endpoints.worker) as worker:
        worker.join()
        worker.connect_progress(programs.endpoints.collect)
        task_id = programs.post_id()
        start = worker.receive(m.Start)
        holding = m.Holding(task_id, start.attempt)
        before = publish_until_seen(programs, worker, holding, 20.0)
        programs.kill("broker")
        programs.start("broker")
        worker.knock(m.Heartbeat(False, holding))
        worker.hello(ready=False, holds=holding)
        worker.receive(m.Welcome)
        assert worker.receive(m.Pulse).order is None, "it goes on with what it holds"
        publish_until_seen(programs, worker, holding, before)
        assert worker.finish(start) == m.ResultAck(task_id, start.attempt)
        body = wait_until(lambda: ended(programs, task_id), "the end of the task")
        assert (body["state"], body["thread"], body["progress"]) == ("done", "w1", 100.0)
        assert programs.get(f"/v1/tasks/{task_id}").body["attempt"] == 1


def ended(programs: Programs, task_id: str) -> dict[str, Any]:
    body = programs.task(task_id).body
    return body if body["state"] in ("done", "failed", "cancelled") else {}


def test_without_a_broker_calls_are_refused_in_time_and_known_tasks_still_answered(tmp_path: Path) -> None:
    with Programs(tmp_path, WEB_REQUEST_TIMEOUT_S=5) as programs, ThreadPoolExecutor(3) as pool:
        known = programs.post()
        assert known.status == 200, known
        programs.kill("broker")
        unknown = hex_id()
        waiting = [
            pool.submit(programs.post),
            pool.submit(programs.task, unknown),
            pool.submit(programs.call, "DELETE", f"/v1/tasks/{unknown}"),
        ]
        for answer in [each.result() for each in waiting]:
            assert (answer.status, answer.body["code"]) == (503, "broker_away")
            assert int(answer.headers["retry-after"]) > 0
        assert programs.task(known.body["taskId"]).body == known.body
        assert programs.get("/healthz").status == 200
        words = wait_until(lambda: missing(programs, "broker"), "a /readyz that misses the broker")
        assert "the broker is not answering" in words
        programs.start("broker")
        wait_until(lambda: programs.post().status == 200, "a broker that takes tasks again")


def missing(programs: Programs, word: str) -> str:
    answer = programs.get("/readyz")
    words = str(answer.body.get("error", ""))
    return words if answer.status == 503 and word in words else ""


def test_a_broker_that_is_asked_to_stop_ends_cleanly(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        assert programs.stop("broker", signal.SIGTERM) == 0
        assert programs.stop("web", signal.SIGTERM) == 0
        assert "action=broker.stopped" in programs.log_of("broker")


def test_a_broker_that_cannot_write_ends_without_an_answer_and_its_successor_takes_the_task(tmp_path: Path) -> None:
    with Programs(tmp_path, WEB_REQUEST_TIMEOUT_S=5) as programs:
        other = sqlite3.connect(programs.journal, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # longer than SQLite waits for the lock
        refused = programs.post(requestId="k")
        assert (refused.status, refused.body["code"]) == (503, "broker_away")
        assert programs.wait_for_exit("broker") == 1
        other.close()
        assert "action=broker.journal_failed" in programs.log_of("broker")
        programs.start("broker")
        programs.wait_synced()
        assert programs.post_id(requestId="k") == programs.post_id(requestId="k")


def test_a_second_broker_on_the_same_journal_is_refused(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        assert programs.run("-m", "broker").returncode == 1
        assert "Another broker is using the journal" in programs.run("-m", "broker").stderr
        assert programs.post().status == 200


def test_the_story_of_a_task_is_told_beside_a_running_broker(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        task_id = programs.post_id()
        programs.call("DELETE", f"/v1/tasks/{task_id}")
        story = programs.run("-m", "broker", "story", task_id)
        assert story.returncode == 0
        assert [name for name in ("Submitted", "CancelRequested", "Cancelled") if f'"{name}"' not in story.stdout] == []
        assert programs.run("-m", "broker", "story", "nope").returncode == 1


def test_a_front_end_that_is_asked_to_stop_answers_the_calls_under_way(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs, RawCaller(programs.ports["WEB_PORT"]) as caller:
        os.kill(programs.pid("broker"), signal.SIGSTOP)
        caller.send(request("GET /v1/workers HTTP/1.1"))
        assert programs.get("/healthz").status == 200  # Calls are read in the order in which they arrive.
        os.kill(programs.pid("web"), signal.SIGTERM)
        wait_until(lambda: not listens(programs), "a front-end that accepts no connection")
        os.kill(programs.pid("broker"), signal.SIGCONT)
        assert caller.read_answer().status == 200
        assert programs.wait_for_exit("web") == 0


def listens(programs: Programs) -> bool:
    try:
        socket.create_connection(("127.0.0.1", programs.ports["WEB_PORT"]), TIMEOUT_S).close()
    except ConnectionRefusedError:
        return False
    return True
