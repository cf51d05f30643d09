"""The front-end against callers and moments that are out of the ordinary, over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import msgspec
import pytest

from conf.settings import load
from protocol import messages as m
from protocol.task import Task, TaskSpec, TaskState
from tests.free_ports import free_ports
from web.app import make_server, make_services
from web.broker_pulse import BrokerPulse
from web.broker_requests import BrokerRequests
from web.listener import Listener
from web.task_cache import TaskCache

FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
TIMEOUT_S = 10.0


def task(task_id: str, state: TaskState) -> Task:
    return Task(TaskSpec(task_id, "user", "project", "dir", "/dir", "classification"), state)


class OneTaskBroker:
    """Answers every request with one task, as the broker does for one that has left the cache."""

    def __init__(self, known: Task) -> None:
        self._known = known

    async def request(self, make: Callable[[int], m.WebToBroker]) -> m.BrokerToWeb:
        return m.TaskReply(1, 99, self._known)


@contextlib.asynccontextmanager
async def front_end(broker: OneTaskBroker, cache: TaskCache) -> AsyncIterator[int]:
    (port,) = free_ports(1)
    settings = load({"TFMODEL_WEB_PORT": str(port), "TFMODEL_HOME": "/nowhere"})
    server = make_server(make_services(settings, cast(BrokerRequests, broker), BrokerPulse(), cache))
    listener = Listener(server, settings.web)
    listener.start()
    try:
        yield port
    finally:
        listener.close()
        await server.close_all_connections()


async def exchange(port: int, request: str) -> tuple[int, Any]:
    """Status and JSON body of the answer to a request as it goes over the line; status 0 for no answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.partition(": ") for line in head.split("\r\n")]
        length = next(int(value) for name, _, value in lines if name.lower() == "content-length")
        return int(head.split()[1]), msgspec.json.decode(await reader.readexactly(length))
    except asyncio.IncompleteReadError:
        return 0, None
    finally:
        writer.close()


def ask(request: str, cache: TaskCache | None = None, known: Task | None = None) -> tuple[int, Any]:
    async def run() -> tuple[int, Any]:
        broker = OneTaskBroker(known or task("known", TaskState.DONE))
        async with front_end(broker, cache or TaskCache(10)) as port:
            return await asyncio.wait_for(exchange(port, request), TIMEOUT_S)

    return asyncio.run(run())


@pytest.mark.parametrize("path", ["/?taskId=known", "/v1/tasks/known"])
def test_an_ended_task_is_found_while_live_ones_fill_the_cache(path: str) -> None:
    cache = TaskCache(capacity=2)
    for number in range(3):
        cache.put(task(f"live{number}", TaskState.PENDING), number + 1)
    status, body = ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n", cache)
    assert (status, body["taskId"], body["state"]) == (200, "known", "done")


@pytest.mark.parametrize("length", ["abc", "5, 6", "-5", ""])
def test_a_content_length_that_is_no_number_is_the_callers_mistake(length: str) -> None:
    status, body = ask(f"POST / HTTP/1.1\r\nHost: localhost\r\n{FORM}Content-Length: {length}\r\n\r\na=b&c")
    assert status == 400
    assert "Content-Length" in body["error"]


def test_a_content_length_given_twice_alike_counts_once() -> None:
    status, body = ask(
        f"POST / HTTP/1.1\r\nHost: localhost\r\n{FORM}Content-Length: 5\r\nContent-Length: 5\r\n\r\na=b&c"
    )
    assert status == 400
    assert "userId is missing" in body["error"]


def test_a_large_body_of_unknown_length_is_answered_like_one_of_known_length() -> None:
    chunk = "11170\r\n" + "a" * 0x11170 + "\r\n"
    request = f"POST / HTTP/1.1\r\nHost: localhost\r\n{FORM}Transfer-Encoding: chunked\r\n\r\n{chunk * 3}0\r\n\r\n"
    status, body = ask(request)
    assert (status, body["code"]) == (413, "body_too_large")
