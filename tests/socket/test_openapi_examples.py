"""Each call of the OpenAPI document, as its examples have it, is answered as documented."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from tests.socket.documented_answer import Document, check_documented
from tests.socket.programs import Programs
from tests.socket.stub_trainer import ENDLESS, StubTrainer
from tests.waiting import TIMEOUT_S, wait_until
from web.documents.openapi import openapi_document
from web.routes import ROUTES

#: What the example is answered where the stub of a trainer has left no files, and there is no webhook.
REFUSED = {
    "getReport": "no_report",
    "getArtifact": "no_artifact",
    "getArtifactsZip": "no_artifact",
    "getLog": "no_log",
    "getTaskPicture": "no_picture",
    "getUpload": "unknown_upload",
    "sendPart": "unsupported_media_type",
    "getThumbnail": "path_not_allowed",
    "promoteTask": "no_model",
    "compareTasks": "no_artifact",
    "predictWithTask": "no_model",
    "predictWithProject": "no_model",
    "testWebhooks": "unknown_destination",
    "resendDeadLetter": "unknown_dead_letter",
    "drainWorker": "unknown_worker",
    "undrainWorker": "unknown_worker",
}
#: Calls for a task that is being trained. All others are made for one that is done.
FOR_A_RUNNING_TASK = ("stopTask", "cancelTask")
QUERIES = {"streamEvents": {"wait": "0"}}

DOCUMENT: Document = msgspec.json.decode(msgspec.json.encode(openapi_document(ROUTES)))
CALLS = [
    pytest.param(path, method, operation, id=operation["operationId"])
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with Programs(tmp_path_factory.mktemp("examples")) as running:
        (running.projects / "flowers" / "roses").mkdir(parents=True)
        with (
            StubTrainer(running.endpoints.worker),
            httpx.Client(base_url=f"http://127.0.0.1:{running.ports['WEB_PORT']}", timeout=TIMEOUT_S) as client,
        ):
            yield client


def make_task(server: httpx.Client, state: str) -> str:
    """A new task of the stub that has reached this state."""
    fields = {"userId": "7", "projectDir": "flowers", "trainType": "classification"}
    posted = server.post("/", data={**fields, "projectId": ENDLESS if state == "processing" else "42"})
    task_id = str(posted.json()["taskId"])
    wait_until(lambda: server.get(f"/v1/tasks/{task_id}").json()["state"] == state, f"a task that is {state}")
    return task_id


def make_tasks(server: httpx.Client, field: str) -> str:
    """What a field of a query takes that names one done task, or several."""
    return ",".join(make_task(server, "done") for _ in range(2 if field == "tasks" else 1))


@pytest.mark.parametrize(("path", "method", "operation"), CALLS)
def test_the_example_is_answered_as_documented(
    server: httpx.Client, path: str, method: str, operation: dict[str, Any]
) -> None:
    name = operation["operationId"]
    query = dict(QUERIES.get(name.removesuffix("Headers"), {}))
    for parameter in DOCUMENT["paths"][path].get("parameters", []):
        value = parameter["example"]
        if parameter["name"] == "taskId":
            value = make_task(server, "processing" if name in FOR_A_RUNNING_TASK else "done")
        path = path.replace(f"{{{parameter['name']}}}", value)
    for parameter in operation["parameters"]:
        if parameter["in"] == "query" and parameter["required"]:
            examples = parameter["schema"].get("examples")
            query[parameter["name"]] = examples[0] if examples else make_tasks(server, parameter["name"])
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    answer = server.request(method, path, params=query, json=body)

    check_documented(DOCUMENT, operation, answer)
    refused = REFUSED.get(name.removesuffix("Headers"))
    if refused is None:
        assert answer.is_success or answer.status_code == 503, answer.text
    elif method != "head":
        assert answer.json()["code"] == refused
    if answer.status_code == 202 and "Location" in answer.headers:
        assert server.get(answer.headers["Location"]).json()["taskId"] == answer.json()["taskId"]
