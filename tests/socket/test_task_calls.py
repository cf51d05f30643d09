"""POST and GET /v1/tasks, and retry, against a real front-end and a real broker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from protocol import messages as m
from protocol.bounds import is_task_id
from tests.socket.programs import FORM_HEADERS, Answer, Programs
from tests.socket.scripted_worker import ScriptedWorker

JSON = {"Content-Type": "application/json"}
GOOD = {"userId": "anna", "projectId": "flowers", "projectDir": "anna/flowers", "trainType": "classification"}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("tasks")) as running:
        yield running


def submit(programs: Programs, headers: dict[str, str] | None = None, **changes: Any) -> Answer:
    body = json.dumps({**GOOD, **changes}).encode()
    return programs.call("POST", "/v1/tasks", body, {**JSON, **(headers or {})})


def retry(programs: Programs, task_id: str, **changes: Any) -> Answer:
    return programs.call("POST", f"/v1/tasks/{task_id}/retry", json.dumps(changes).encode(), JSON)


def test_a_task_is_accepted_with_its_place_and_all_its_fields(programs: Programs) -> None:
    answer = submit(
        programs,
        {"X-Request-Id": "call-7.a"},
        options={"epochs": 3, "exports": ["onnx", "tflite"]},
        metadata={"plan": "pro"},
    )
    task_id = answer.body["taskId"]
    assert (answer.status, answer.headers["location"]) == (202, f"/v1/tasks/{task_id}")
    assert is_task_id(task_id)
    assert answer.headers["x-request-id"] == "call-7.a"
    whole = programs.get(answer.headers["location"]).body
    assert whole == answer.body
    assert (whole["options"], whole["metadata"], whole["requestId"]) == (
        {"epochs": 3, "exports": ["onnx", "tflite"]},
        {"plan": "pro"},
        "call-7.a",
    )


def test_a_form_says_the_same_as_json(programs: Programs) -> None:
    body = "userId=anna&projectId=flowers&projectDir=anna/flowers&trainType=classification&epochs=3&metadata[plan]=pro"
    form = programs.call("POST", "/v1/tasks", body.encode(), FORM_HEADERS)
    same = submit(programs, options={"epochs": 3}, metadata={"plan": "pro"})
    own = ("taskId", "submittedAt", "requestId", "seq", "etaSeconds", "etaRangeSeconds")
    assert form.status == same.status == 202
    assert {k: v for k, v in form.body.items() if k not in own} == {k: v for k, v in same.body.items() if k not in own}


def test_every_bad_field_is_named_at_once(programs: Programs) -> None:
    answer = submit(programs, userId="", colour="red")
    assert answer.status == 400
    assert answer.body["fields"].keys() == {"userId", "colour"}
    answer = submit(programs, projectDir="/etc", trainType="sculpture")
    assert answer.body["fields"].keys() == {"projectDir", "trainType"}
    answer = submit(programs, options={"epochs": "3", "colour": "red"})
    assert answer.body["fields"].keys() == {"options.epochs", "options.colour"}
    assert submit(programs, projectDir="/etc").body["code"] == "project_dir_not_allowed"


@pytest.mark.parametrize("field", ["metadata[a b]=x", "metadata[]=x", "metadata[n]=" + "x" * 501, "options[epochs]=3"])
def test_bad_metadata_of_a_form_is_refused(programs: Programs, field: str) -> None:
    body = f"userId=anna&projectId=flowers&projectDir=anna/flowers&trainType=classification&{field}"
    answer = programs.call("POST", "/v1/tasks", body.encode(), FORM_HEADERS)
    assert (answer.status, answer.body["code"]) == (400, "bad_fields")


def test_a_key_makes_a_post_safe_to_repeat(programs: Programs) -> None:
    first, again = (submit(programs, {"Idempotency-Key": "k1"}) for _ in range(2))
    assert (again.status, again.body["taskId"]) == (202, first.body["taskId"])
    other = submit(programs, {"Idempotency-Key": "k1"}, metadata={"plan": "free"})
    assert (other.status, other.body["code"]) == (409, "key_reused")


def test_a_query_that_the_call_does_not_have_is_refused(programs: Programs) -> None:
    answer = programs.get("/v1/workers?colour=red")
    assert (answer.status, answer.body["fields"].keys()) == (400, {"colour"})
    assert programs.get("/healthz?probe=1").status == 200


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "é", 'a"b'])
def test_an_unusable_request_id_is_replaced(programs: Programs, given: str) -> None:
    made = programs.call("GET", "/healthz", sent={"X-Request-Id": given.encode("latin-1").decode("latin-1")})
    assert len(made.headers["x-request-id"]) == 16


def test_a_task_that_has_ended_is_repeated_with_changes(programs: Programs) -> None:
    first = submit(programs, options={"epochs": 3, "seed": 5}, metadata={"plan": "pro"}).body["taskId"]
    running = retry(programs, first)
    assert (running.status, running.body["code"], running.body["state"]) == (409, "task_not_ended", "pending")
    programs.call("DELETE", f"/v1/tasks/{first}")
    same = retry(programs, first)
    assert (same.status, same.headers["location"]) == (202, f"/v1/tasks/{same.body['taskId']}")
    assert (same.body["retryOf"], same.body["options"], same.body["metadata"]) == (
        first,
        {"epochs": 3, "seed": 5},
        {"plan": "pro"},
    )
    changed = retry(programs, first, options={"epochs": 9, "seed": None}, metadata={}).body
    assert (changed["options"], changed["metadata"]) == ({"epochs": 9}, {})
    repeated_by = programs.get(f"/v1/tasks/{first}").body["retriedBy"]
    assert repeated_by == [changed["taskId"], same.body["taskId"]]
    listed = programs.get(f"/v1/tasks?retryOf={first}&sort=submittedAt").body["tasks"]
    assert [task["taskId"] for task in listed] == repeated_by[::-1]
    assert retry(programs, first, options={"epochs": 0}).body["fields"].keys() == {"options.epochs"}
    assert retry(programs, "0" * 32).status == 404


def test_the_worker_is_told_which_call_posted_the_task(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Programs(tmp_path_factory.mktemp("ids")) as programs, ScriptedWorker(programs.endpoints.worker) as worker:
        worker.join()
        submit(programs, {"X-Request-Id": "from-the-website"})
        assert worker.receive(m.Start).spec.request_id == "from-the-website"


def test_a_list_has_pages_filters_and_counts(programs: Programs) -> None:
    ids = [submit(programs, userId="lister", metadata={"batch": str(number % 2)}).body["taskId"] for number in range(5)]
    programs.call("DELETE", f"/v1/tasks/{ids[0]}")
    first = programs.get("/v1/tasks?userId=lister&limit=3").body
    second = programs.get(f"/v1/tasks?userId=lister&limit=3&cursor={first['next']}").body
    assert [task["taskId"] for task in first["tasks"] + second["tasks"]] == ids[::-1]
    assert second["next"] == ""
    assert (first["counts"]["pending"], first["counts"]["cancelled"]) == (4, 1)
    odd = programs.get("/v1/tasks?userId=lister&metadata[batch]=1&state=pending,done").body
    assert [task["taskId"] for task in odd["tasks"]] == [ids[3], ids[1]]
    assert programs.get("/v1/tasks?userId=nobody").body["tasks"] == []


def test_a_search_finds_tasks_by_the_beginning_of_what_people_know_them_by(programs: Programs) -> None:
    by_user = submit(programs, userId="searcher", projectId="roses").body["taskId"]
    by_project = submit(programs, userId="another", projectId="search me").body["taskId"]

    def found(query: str) -> list[str]:
        page = programs.get(f"/v1/tasks?{query}").body
        assert sum(page["counts"].values()) == len(page["tasks"])
        return [task["taskId"] for task in page["tasks"]]

    assert found("search=search") == [by_project, by_user]
    assert found("search=search%20") == [by_project]
    assert found("search=search&userId=searcher") == [by_user]
    assert found(f"search={by_user}") == [by_user]
    assert found("search=Search") == found("search=earch") == found("search=%25") == []


@pytest.mark.parametrize(
    "query", ["cursor=made.up", "submittedAfter=yesterday", "limit=201", "state=late", "user=anna"]
)
def test_a_bad_list_is_refused_with_the_field(programs: Programs, query: str) -> None:
    answer = programs.get(f"/v1/tasks?{query}")
    assert (answer.status, answer.body["code"]) == (400, "bad_fields")


def test_a_time_at_the_beginning_of_the_epoch_is_a_time(programs: Programs) -> None:
    submit(programs)
    assert programs.get("/v1/tasks?submittedBefore=1970-01-01T00:00:00Z").body["tasks"] == []
    assert programs.get("/v1/tasks?submittedAfter=1970-01-01T00:00:00Z").body["tasks"]
