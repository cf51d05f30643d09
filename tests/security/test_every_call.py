"""Every call of the table of routes without a token, with the token of another user, and with one that may only read.

Each call is made as it may be made: about things of the user bert that are there. The token of another user is anna's.
A new call fails here until it is said what a stranger's token may do with it.
"""

from __future__ import annotations

import http.client
import json
import urllib.parse
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest

from tests.socket.programs import Programs
from tests.waiting import TIMEOUT_S, wait_until
from web.api.examples import EXAMPLES
from web.calls.uploads import OFFSET_HEADER
from web.route import Call, Route
from web.routes import ROUTES

pytestmark = pytest.mark.door(16)

#: Calls that need no token. They tell nothing of a user.
OPEN = {
    *("getSession", "signIn", "signOut", "getHealth", "getReadiness"),
    *("getOpenApi", "getDocs", "getErrorDocs", "getStaticFile"),
}
#: Calls that change nothing or only the browser's cookie, although they are no GET.
READING_POSTS = {"predictWithTask", "predictWithProject", "signIn", "signOut"}
#: Calls about one task, which looks like an unknown one.
OF_A_TASK = {
    *("pollTask", "getTask", "cancelTask", "stopTask", "retryTask", "promoteTask", "getReport", "listArtifacts"),
    *("getArtifactsZip", "getArtifact", "getTaskPicture", "getLog", "listEpochs", "streamTaskEvents", "compareTasks"),
    "predictWithTask",
}
OF_A_USER = {
    *("postFolder", "submitTask", "checkFolder", "listTasks", "streamEvents", "getProject"),
    *("getCorrections", "changeCorrections", "getUploads", "beginUpload"),
}
OF_ALL_USERS = {
    *("getMetrics", "listTokens", "drainWorker", "undrainWorker", "getWebhooks", "testWebhooks", "resendDeadLetter"),
}
#: What anna's token is answered. A call that is answered well must not tell of bert; see SECRETS.
FOREIGN: dict[str, tuple[int, str]] = {
    **dict.fromkeys(OF_A_TASK, (404, "unknown_task")),
    **dict.fromkeys(OF_A_USER | OF_ALL_USERS, (403, "user_not_allowed")),
    "predictWithProject": (404, "no_model"),  # as for a project that has none
    **dict.fromkeys(("getUpload", "sendPart"), (404, "unknown_upload")),
    **dict.fromkeys(("listFolder", "getThumbnail"), (403, "path_not_allowed")),
    **dict.fromkeys(("listWorkers", "listQueue", "listTrainTypes", "getServer"), (200, "")),
}
SECRETS = ("bert", "tulips")


class Asked(NamedTuple):
    """A call as it is made."""

    name: str
    method: str
    url: str
    body: bytes
    headers: dict[str, str]


class Answer(NamedTuple):
    status: int
    code: str
    text: str


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("every-call")) as running:
        yield running


@pytest.fixture(scope="module")
def tokens(programs: Programs) -> dict[str, dict[str, str]]:
    """Headers by the name of the token."""
    made = {
        "website": programs.make_token("website"),
        "anna": programs.make_token("anna", "--user", "anna"),
        "looker": programs.make_token("looker", "--read-only"),
    }
    wait_until(lambda: programs.get("/v1/workers", **made["looker"]).status == 200, "the tokens to count")
    return made


@pytest.fixture(scope="module")
def calls(programs: Programs, tokens: dict[str, dict[str, str]]) -> list[tuple[Call, Asked]]:
    """All calls, about a task, an upload and a folder of bert's."""
    (programs.projects / "bert" / "tulips").mkdir(parents=True)
    posted = programs.post(tokens["website"], userId="bert", projectId="tulips", projectDir="bert/tulips")
    new = {"userId": "bert", "projectId": "tulips", "label": "a", "name": "1.jpg", "sizeBytes": 10}
    json_type = {"Content-Type": "application/json"}
    begun = programs.call("POST", "/v1/uploads", json.dumps(new).encode(), {**tokens["website"], **json_type})
    ids = {"taskId": posted.body["taskId"], "uploadId": begun.body["uploadId"]}
    folder = str(programs.projects / "bert" / "tulips")
    return [(call, asked(route, method, call, ids, folder)) for route in ROUTES for method, call in route.calls.items()]


def asked(route: Route, method: str, call: Call, ids: dict[str, str], folder: str) -> Asked:
    parts = {
        **{**ids, "userId": "bert", "projectId": "tulips", "name": "1.jpg", "deadLetterId": "1"},
        **{"version": "0", "file": "page/main.js"},
    }
    url = route.template.replace("...", "").format(**parts)
    if call.query is not None:
        url += f"?{urllib.parse.urlencode(query_of(call, ids, folder))}"
    example: dict[str, Any] = {**EXAMPLES.get(call.name, {})}
    for name, value in {"userId": "bert", "projectId": "tulips", "projectDir": "bert/tulips"}.items():
        if name in example:
            example[name] = value
    if call.raw:
        return Asked(call.name, method, url, b"\xff\xd8\xff", {"Content-Type": call.raw, OFFSET_HEADER: "0"})
    headers = {"Content-Type": "application/json"} if call.body else {}
    return Asked(call.name, method, url, json.dumps(example).encode() if call.body else b"", headers)


def query_of(call: Call, ids: dict[str, str], folder: str) -> dict[str, str]:
    """What a call about bert's things names in its query. One that could wait for events does not."""
    values = {
        **{"taskId": ids["taskId"], "userId": "bert", "projectId": "tulips", "projectDir": "bert/tulips"},
        **{"path": folder, "wait": "0", "tasks": f"{ids['taskId']},{'0' * 32}"},
    }
    assert call.query is not None
    fields = msgspec.structs.fields(call.query)
    return {field.encode_name: values[field.encode_name] for field in fields if field.encode_name in values}


def answer(programs: Programs, made: Asked, headers: dict[str, str], method: str = "") -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", programs.ports["WEB_PORT"], timeout=TIMEOUT_S)
    try:
        connection.request(method or made.method, made.url, made.body or None, {**made.headers, **headers})
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        body = json.loads(text) if text and is_json else {}
        return Answer(response.status, str(body.get("code", "")), text)
    finally:
        connection.close()


def cookie(programs: Programs, headers: dict[str, str]) -> dict[str, str]:
    """The session of a token, which must be worth the same."""
    body = json.dumps({"token": headers["Authorization"].removeprefix("Bearer ")}).encode()
    signed_in = programs.call("POST", "/v1/session", body, {"Content-Type": "application/json"})
    return {"Cookie": signed_in.headers["set-cookie"].partition(";")[0]}


def test_nobody_gets_in_without_a_token(programs: Programs, calls: list[tuple[Call, Asked]]) -> None:
    wrong = [
        {},
        {"Authorization": "Bearer tfm_wrong"},
        {"Authorization": "Basic YTpi"},
        {"Cookie": f"tfmodel_{programs.ports['WEB_PORT']}=website.9999999999.{'0' * 64}"},
    ]
    for call, made in calls:
        for headers in wrong:
            got = answer(programs, made, headers)
            assert (got.code == "unauthorized") == (call.name not in OPEN - {"signIn"}), (made, headers, got)
            assert call.name in OPEN or not any(secret in got.text for secret in SECRETS), (made, got)


def test_the_token_of_another_user_opens_nothing(
    programs: Programs, calls: list[tuple[Call, Asked]], tokens: dict[str, dict[str, str]]
) -> None:
    assert {call.name for call, _ in calls} - OPEN == set(FOREIGN)
    before = snapshot(programs, tokens)
    ways = (tokens["anna"], cookie(programs, tokens["anna"]))
    for call, made in calls:
        if call.name in OPEN:
            continue
        for headers in ways:
            got = answer(programs, made, headers)
            assert (got.status, got.code) == FOREIGN[call.name], (made, got)
            if got.status == 200:
                assert not any(secret in got.text for secret in SECRETS), (made, got)
            if made.method == "GET":
                assert answer(programs, made, headers, "HEAD").status == got.status, made
    assert snapshot(programs, tokens) == before


def test_a_token_that_may_only_read_changes_nothing(
    programs: Programs, calls: list[tuple[Call, Asked]], tokens: dict[str, dict[str, str]]
) -> None:
    assert {call.name for call, made in calls if made.method != "GET" and not call.writes} == READING_POSTS
    assert not [call.name for call, made in calls if made.method == "GET" and call.writes]
    before = snapshot(programs, tokens)
    ways = (tokens["looker"], cookie(programs, tokens["looker"]))
    for call, made in calls:
        if call.name in OPEN:
            continue
        for headers in ways:
            got = answer(programs, made, headers)
            assert (got.code == "read_only_token") == call.writes, (made, got)
            assert got.code not in ("unauthorized", "user_not_allowed"), (made, got)
            assert got.status < 500 or got.code in ("predict_failed", "webhooks_unavailable"), (made, got)
    assert snapshot(programs, tokens) == before


def snapshot(programs: Programs, tokens: dict[str, dict[str, str]]) -> list[Any]:
    """What a call could have changed: the tasks, the uploads, and all files below the data roots."""
    tasks = programs.get("/v1/tasks", **tokens["website"]).body["tasks"]
    uploads = programs.get("/v1/uploads?userId=bert&projectId=tulips", **tokens["website"]).body
    files = sorted((str(path), path.stat().st_size) for path in programs.projects.rglob("*"))
    return [[(task["taskId"], task["state"]) for task in tasks], uploads, files]
