"""A log that is read while a worker adds to it: real broker, real front-end, scripted worker."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from protocol import messages as m
from protocol.epochs import EpochRecord
from protocol.errors import Failure, FailureClass
from protocol.project_layout import EPOCHS, KEPT, LOG, TASKS
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import TIMEOUT_S, wait_until


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture
def worker(programs: Programs) -> Iterator[ScriptedWorker]:
    with ScriptedWorker(programs.endpoints.worker) as joined:
        yield joined.join()


class Follower:
    """A caller of `…/log?follow=1`. Use as a context manager."""

    def __init__(self, programs: Programs, task_id: str, offset: int = 0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", programs.ports["WEB_PORT"], timeout=TIMEOUT_S)
        self._connection.request("GET", f"/v1/tasks/{task_id}/log?follow=1&offset={offset}")
        self.answer = self._connection.getresponse()

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def line(self) -> bytes:
        """The next line, as soon as it has come; b"" at the end."""
        return self.answer.readline()


def folder_of(programs: Programs, task_id: str) -> Path:
    folder = programs.projects / "anna" / "flowers" / KEPT / TASKS / task_id
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def add(file: Path, content: bytes) -> None:
    with file.open("ab") as opened:
        opened.write(content)


def test_a_follower_sees_each_line_when_it_is_written_until_the_task_ends(
    programs: Programs, worker: ScriptedWorker
) -> None:
    task_id = programs.post_id()
    with Follower(programs, task_id) as early:
        assert (early.answer.status, early.answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
        worker.heartbeat(ready=True)
        start = worker.receive(m.Start)
        log = folder_of(programs, task_id) / LOG
        for number in range(3):
            add(log, b"line %d\n" % number)
            assert early.line() == b"line %d\n" % number
        with Follower(programs, task_id, offset=len(b"line 0\nline 1\n")) as late:
            assert late.line() == b"line 2\n"
            add(log, b"the last line\n")
            worker.finish(start)
            for follower in (early, late):
                assert (follower.line(), follower.line()) == (b"the last line\n", b"")
    assert "Traceback" not in programs.log_of("web")


def test_a_log_that_is_begun_anew_is_read_from_its_beginning(programs: Programs, worker: ScriptedWorker) -> None:
    task_id = programs.post_id()
    worker.heartbeat(ready=True)
    start = worker.receive(m.Start)
    log = folder_of(programs, task_id) / LOG
    add(log, b"of the first attempt\n")
    with Follower(programs, task_id) as follower:
        assert follower.line() == b"of the first attempt\n"
        log.unlink()
        add(log, b"new\n")
        assert follower.line() == b"new\n"
        failure = Failure("no_images", FailureClass.DATA, "No picture.")
        worker.send(m.Result(task_id, start.attempt, failure=failure))
        worker.receive(m.ResultAck)
        assert follower.line() == b""
    assert programs.get(f"/v1/tasks/{task_id}").body["state"] == "failed"


def test_a_follower_that_leaves_makes_room(programs: Programs, worker: ScriptedWorker) -> None:
    task_id = programs.post_id()
    for _ in range(3):
        with Follower(programs, task_id) as follower:
            assert follower.answer.status == 200
    descriptors = Path(f"/proc/{programs.pid('web')}/fd")
    add(folder_of(programs, task_id) / LOG, b"x")

    def names() -> list[str]:
        return [str(entry.readlink()) for entry in descriptors.iterdir() if entry.is_symlink()]

    wait_until(lambda: not any(name.endswith(LOG) for name in names()), "the followers' files to be closed")
    programs.call("DELETE", f"/v1/tasks/{task_id}")


def test_epochs_come_once_each_while_they_end_and_afterwards(programs: Programs, worker: ScriptedWorker) -> None:
    task_id = programs.post_id()
    path = f"/v1/tasks/{task_id}/metrics"
    assert programs.get(path).body == {"epochs": [], "next": 0}
    worker.heartbeat(ready=True)
    start = worker.receive(m.Start)
    file = folder_of(programs, task_id) / EPOCHS
    lines = [
        msgspec.json.encode(EpochRecord(1, "train", part, number, 3, "2026-11-29T20:00:00.000+00:00", {"loss": 0.5}))
        for part, number in (("", 1), ("", 2), ("", 3), ("fold1", 1))
    ]
    seen, cursor = [], 0
    for line in lines:
        add(file, line + b"\n" + line[:20])  # the next one is being written
        answer = programs.get(f"{path}?after={cursor}").body
        seen += answer["epochs"]
        cursor = answer["next"]
        file.write_bytes(file.read_bytes()[: -len(line[:20])])
    assert [(epoch["part"], epoch["epoch"]) for epoch in seen] == [("", 1), ("", 2), ("", 3), ("fold1", 1)]
    assert seen[0].keys() == {"attempt", "stage", "part", "epoch", "epochsMax", "at", "metrics"}
    worker.finish(start)
    wait_until(lambda: programs.task(task_id).body["state"] == "done", "the front-end to hear of the result")
    assert programs.get(path).body == {"epochs": seen, "next": cursor}
    assert programs.get(f"{path}?after=1&limit=2").body == {"epochs": seen[1:3], "next": 3}
    file.write_bytes(lines[0] + b"\n")
    assert programs.get(f"{path}?after={cursor}").body == {"epochs": [], "next": 1}
