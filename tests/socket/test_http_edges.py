"""The front-end in the test's own process, against callers and moments that are out of the ordinary, over real HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from protocol.task import Task, TaskState
from tests.socket.front_end import FORM, OneTaskBroker, exchange, front_end, task
from tests.waiting import TIMEOUT_S
from web.broker_link.task_cache import TaskCache


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
