"""The bodies and headers of refused calls, wherever in the front-end they are refused."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest

from protocol.errors import REFUSAL_CODES
from protocol.task import TaskState
from tests.socket.front_end import OneTaskBroker, front_end, task
from web.broker_link.task_cache import TaskCache

KNOWN = task("0" * 32, TaskState.DONE)
PROBLEM = "application/problem+json"
#: A call for each place that refuses: the Entrance, Tornado, the base of the handlers, and a handler.
REFUSED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "foreign_host": ("GET", "/healthz", {"headers": {"Host": "elsewhere.example"}}),
    "body_too_large": ("POST", "/", {"content": b"x" * 2_000_000}),
    "unknown_path": ("GET", "/nothing", {}),
    "method_not_allowed": ("DELETE", "/healthz", {}),
    "token_in_url": ("GET", "/?token=x", {}),
    "bad_fields": ("GET", "/", {}),
    "unsupported_media_type": ("POST", "/v1/tasks", {"content": b"x", "headers": {"Content-Type": "text/plain"}}),
}


def answer_to(method: str, path: str, changes: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
    async def run() -> httpx.Response:
        async with (
            front_end(OneTaskBroker(KNOWN), TaskCache(10)) as port,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
        ):
            sent = {**changes.get("headers", {}), **headers}
            return await client.request(method, path, **{**changes, "headers": sent})

    return asyncio.run(run())


@pytest.mark.parametrize("code", REFUSED)
def test_every_refusal_has_the_same_envelope_and_the_id_of_the_call(code: str) -> None:
    response = answer_to(*REFUSED[code], {"X-Request-Id": "shop-7.1_a"})
    body = response.json()
    assert response.status_code == REFUSAL_CODES[code]
    assert response.headers["Content-Type"] == "application/json"
    assert body["code"] == code
    assert body["docs"] == f"/docs/errors#{code}"
    assert body["error"].endswith(".")
    assert response.headers["X-Request-Id"] == "shop-7.1_a"


@pytest.mark.parametrize("code", REFUSED)
def test_problem_json_is_sent_to_whoever_asks_for_it(code: str) -> None:
    response = answer_to(*REFUSED[code], {"Accept": f"{PROBLEM}, application/json"})
    body = response.json()
    assert response.headers["Content-Type"] == PROBLEM
    assert "Accept" in response.headers["Vary"]
    assert (body["type"], body["status"], body["code"]) == (body["docs"], response.status_code, code)
    assert body["detail"] == body["error"]
    assert body["title"] == code.replace("_", " ").capitalize()


def test_one_field_at_fault_is_named_alone_and_several_only_together() -> None:
    one = answer_to("GET", "/v1/tasks?limit=many", {}, {}).json()
    assert (one["field"], list(one["fields"])) == ("limit", ["limit"])
    two = answer_to("GET", "/v1/tasks?limit=many&sort=up", {}, {}).json()
    assert "field" not in two
    assert list(two["fields"]) == ["limit", "sort"]


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a/b"])
def test_a_call_without_a_usable_id_gets_one(given: str) -> None:
    headers = {"X-Request-Id": given} if given else {}
    request_id = answer_to("GET", "/healthz", {}, headers).headers["X-Request-Id"]
    assert request_id != given
    assert re.fullmatch("[0-9a-f]{16}", request_id)


@pytest.mark.parametrize("path", ["/v1/workers", "/v1/workers?limit=3"])
def test_a_method_that_a_path_does_not_take_is_told_from_a_bad_field(path: str) -> None:
    response = answer_to("PUT", path, {}, {})
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in response.headers["Allow"]


def test_a_name_that_is_not_utf8_is_refused_with_a_sentence() -> None:
    """JSON can hold half of a surrogate pair, and UTF-8 cannot, so the refusal can't repeat it."""
    sent = {"content": b'{"userId": "7", "\\ud800": "x"}', "headers": {"Content-Type": "application/json"}}
    response = answer_to("POST", "/", sent, {})
    assert (response.status_code, response.json()["code"]) == (400, "bad_fields")
    assert "?" in response.json()["fields"]
