"""Streams have limits of their own, and a caller that does not read costs nobody anything."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from protocol import messages as m
from tests.sample_scrape import Scrape
from tests.socket.event_stream import EventStream, Received
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.socket.training_reports import next_progress, report
from tests.waiting import TIMEOUT_S, wait_until

MOST = 12
#: Callers that do not read.
SLOW = 50
#: Shorter than by default, each in the one test that is about it. A call fails if its caller sends nothing for IDLE_S.
IDLE_S = 3.0
TRANSFER_S = 1.5


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """With more streams than other connections."""
    limits = {"WEB_MAX_STREAMS": MOST, "WEB_MAX_STREAMS_PER_ADDRESS": MOST, "WEB_MAX_CONNECTIONS": 10}
    with Programs(tmp_path_factory.mktemp("crowd"), True, **limits) as programs:
        yield programs


def streams(programs: Programs) -> float | None:
    return Scrape(programs.ports["WEB_PORT"]).value("tfmodel_streams")


def stream(programs: Programs, path: str = "/v1/events", **headers: str) -> EventStream:
    return EventStream(programs.ports["WEB_PORT"], path, **headers)


def open_stream(stack: contextlib.ExitStack, programs: Programs) -> EventStream:
    opened = stack.enter_context(stream(programs))
    assert opened.status == 200
    return opened


@pytest.mark.door(14)
def test_one_stream_too_many_is_refused_and_other_calls_are_answered(crowded: Programs) -> None:
    with contextlib.ExitStack() as stack:
        opened = [open_stream(stack, crowded) for _ in range(MOST - 1)]
        opened.append(stack.enter_context(stream(crowded, "/v1/events?wait=60&userId=nobody")))
        wait_until(lambda: streams(crowded) == MOST, "all streams to be open")
        for path in ("/v1/events", "/v1/events?wait=5"):
            refused = crowded.get(path)
            assert (refused.status, refused.body["code"]) == (429, "too_many_streams")
            assert int(refused.headers["retry-after"]) > 0
        assert crowded.get("/v1/events?wait=0").status == 200, "that one does not stay"
        # There are more streams than connections may be open, and yet connections are left for everything else.
        for _ in range(15):
            task_id = crowded.post_id()
            assert crowded.task(task_id).status == 200
        events = [next(iter(each)) for each in opened[:-1]]
        assert {event.type for event in events} == {"task.submitted"}
        opened[0].close()
        wait_until(lambda: streams(crowded) == MOST - 1, "the slot of a reader that has gone")
        open_stream(stack, crowded)
        assert streams(crowded) == MOST
    wait_until(lambda: streams(crowded) == 0, "no streams")


def test_a_silent_stream_is_no_idle_connection(tmp_path: Path) -> None:
    with Programs(tmp_path, WEB_IDLE_TIMEOUT_S=IDLE_S) as programs:
        idle = socket.create_connection(("127.0.0.1", programs.ports["WEB_PORT"]), TIMEOUT_S)
        with idle, stream(programs) as events:
            assert events.status == 200
            assert idle.recv(1) == b"", "an idle connection is closed"
            task_id = programs.post_id()
            assert events.next().data["taskId"] == task_id


@pytest.mark.door(14)
def test_a_caller_that_does_not_read_gets_the_newest_state_later_and_costs_no_memory(tmp_path: Path) -> None:
    with (
        Programs(tmp_path, WEB_TRANSFER_TIMEOUT_S=120) as programs,
        ScriptedWorker(programs.endpoints.worker) as worker,
    ):
        worker.join()
        worker.connect_progress(programs.endpoints.collect)
        task_id = programs.post_id()
        start = worker.receive(m.Start)
        with contextlib.ExitStack() as stack, stream(programs) as quick:
            slow, *_ = [open_stream(stack, programs) for _ in range(SLOW)]
            next_progress(quick, worker, start, 1.0)
            front_end = psutil.Process(programs.pid("web"))
            before_bytes = front_end.memory_info().rss
            flood(programs, quick, megabytes=10)
            report(worker, start, 50.0)
            report(worker, start, 90.0)
            while quick.next("task.progress").data["progress"] < 90.0:
                pass
            grown_bytes = front_end.memory_info().rss - before_bytes
            seen: list[Received] = []
            while not seen or seen[-1].data.get("progress", 0.0) < 90.0:
                seen.append(slow.next())
            facts = [int(event.id) for event in seen if event.id]
            assert facts == sorted(set(facts)), "each once and in order"
            missed = [event for event in seen if event.type == "reset"]
            assert missed or facts == list(range(facts[0], facts[0] + len(facts)))
            assert seen[-1].data["taskId"] == task_id
        # Log and cache have the flood several times. Queues for the readers would have it once for each.
        assert grown_bytes < SLOW * 10e6 / 3, grown_bytes


def flood(programs: Programs, reader: EventStream, megabytes: int) -> None:
    """Post tasks with long names until a reader has got so much."""
    name = "\N{CAMERA}" * 4000
    for count in itertools.count(1):
        task_id = programs.post_id(projectId=name)
        assert reader.next("task.submitted").data["taskId"] == task_id
        if count * len(name.encode()) > megabytes * 1_000_000:
            return


@pytest.mark.door(14)
def test_a_caller_that_reads_nothing_at_all_is_closed(tmp_path: Path) -> None:
    with (
        Programs(tmp_path, WEB_TRANSFER_TIMEOUT_S=TRANSFER_S) as programs,
        socket.socket() as deaf,
        stream(programs) as quick,
    ):
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", programs.ports["WEB_PORT"]))
        deaf.sendall(b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        wait_until(lambda: streams(programs) == 2, "both streams")
        name = "x" * 4000

        def is_closed() -> bool:
            task_id = programs.post_id(projectId=name)
            while quick.next().data["taskId"] != task_id:
                pass
            return streams(programs) == 1

        wait_until(is_closed, "the end of the stream that nobody reads")
