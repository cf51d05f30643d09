"""/v1/queue, /v1/projects, /v1/train-types and /v1/server of a real front-end with a real broker."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterator

import msgspec
import pytest
from jsonschema import Draft202012Validator

from protocol import messages as m
from protocol.comparison import Comparison
from protocol.options import OPTIONS_BY_TRAIN_TYPE, typed_options
from protocol.task import Trained
from protocol.version import VERSION
from tests.security.raw_http import ask
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until

LIMIT = 4


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("service"), BROKER_MAX_PENDING_PER_USER=LIMIT) as running:
        yield running


@pytest.fixture(scope="module")
def tokens(programs: Programs) -> dict[str, dict[str, str]]:
    """The header of a token of each user, and of one for all users."""
    headers = {}
    for name, words in {"all": [], "anna": ["--user", "anna"], "ben": ["--user", "ben"]}.items():
        created = programs.run("server.py", "token", "create", name, *words)
        headers[name] = {"Authorization": f"Bearer {created.stdout.strip()}"}
    wait_until(lambda: programs.get("/v1/server").status == 401, "the front-end to read the tokens")
    return headers


def test_every_form_that_the_schema_allows_is_taken(programs: Programs, tokens: dict[str, dict[str, str]]) -> None:
    listed = programs.get("/v1/train-types", **tokens["all"]).body["trainTypes"]
    assert [each["name"] for each in listed] == list(OPTIONS_BY_TRAIN_TYPE)
    for each in listed:
        schema = each["options"]
        Draft202012Validator.check_schema(schema)
        assert "$ref" not in msgspec.json.encode(schema).decode()
        assert all(option["description"] for option in schema["properties"].values())
        defaults = {name: option["default"] for name, option in schema["properties"].items()}
        assert typed_options(each["name"], defaults) == OPTIONS_BY_TRAIN_TYPE[each["name"]]()
        assert each["layouts"]


def test_the_server_tells_its_version_and_limits(programs: Programs, tokens: dict[str, dict[str, str]]) -> None:
    server = programs.get("/v1/server", **tokens["anna"]).body
    (disk,) = server["disks"]
    assert (disk["path"], disk["minFreeBytes"]) == (str(programs.projects), 2**20)
    assert 0 < disk["freeBytes"] < disk["totalBytes"]
    assert server["versions"].keys() == {"python", "tornado", "pyzmq", "msgspec"}
    assert server["versions"]["python"] == platform.python_version()
    assert server["version"] == VERSION
    assert server["uptimeSeconds"] >= 0
    assert datetime.datetime.fromisoformat(server["startedAt"]).tzinfo is not None
    assert server["limits"]["maxPendingPerUser"] == LIMIT
    assert server["limits"]["maxBodyBytes"] == programs.settings.web.max_body_bytes
    assert server["features"] == {"tokens": True, "webhooks": False, "trainTypes": list(OPTIONS_BY_TRAIN_TYPE)}
    for path in server["docs"].values():
        assert ask(programs.ports["WEB_PORT"], f"GET {path} HTTP/1.1").status == 200


def test_the_queue_and_its_limit(programs: Programs, tokens: dict[str, dict[str, str]]) -> None:
    anna, ben, everybody = tokens["anna"], tokens["ben"], tokens["all"]
    posted = [programs.post(anna, userId="anna").body["taskId"] for _ in range(LIMIT)]
    other = programs.post(ben, userId="ben").body["taskId"]

    whole = programs.get("/v1/queue", **everybody).body
    assert [entry["position"] for entry in whole["queue"]] == list(range(1, LIMIT + 2))
    order = {entry["taskId"]: entry["position"] for entry in whole["queue"]}
    assert order[other] == 2, "one user's many tasks do not stand before another's only one"
    assert [entry["estimatedStartAt"] for entry in whole["queue"]] == [None] * (LIMIT + 1)

    own = programs.get("/v1/queue", **ben).body
    assert [(entry["taskId"], entry["position"]) for entry in own["queue"]] == [(other, 2)]
    assert own["waiting"] == LIMIT + 1

    first = programs.get("/v1/queue?limit=3", **anna).body
    rest = programs.get(f"/v1/queue?limit=3&cursor={first['next']}", **anna).body
    assert [entry["taskId"] for entry in (*first["queue"], *rest["queue"])] == posted
    assert rest["next"] == 0

    refused = programs.post(anna, userId="anna")
    assert (refused.status, refused.body["code"], refused.body["position"]) == (429, "queue_full", LIMIT + 2)
    assert refused.headers["ratelimit-policy"] == f'"max_pending_per_user";q={LIMIT}'
    assert refused.headers["ratelimit"] == '"max_pending_per_user";r=0'
    assert int(refused.headers["retry-after"]) > 0

    with ScriptedWorker(programs.endpoints.worker) as worker:
        start = worker.join().receive(m.Start)
        assert order[start.spec.task_id] == 1

        def estimated() -> bool:
            entries = programs.get("/v1/queue", **everybody).body["queue"]
            return len(entries) == LIMIT and all(entry["estimatedEndAt"] for entry in entries)

        wait_until(estimated, "estimates for all waiting tasks")
        for entry in programs.get("/v1/queue", **everybody).body["queue"]:
            assert entry["submittedAt"] <= entry["estimatedStartAt"] < entry["estimatedEndAt"]
        worker.finish(start)
    for task_id in [each for each in (*posted, other) if each != start.spec.task_id]:
        programs.call("DELETE", f"/v1/tasks/{task_id}", sent=everybody)


def test_a_project_tells_the_model_in_use_and_why(programs: Programs, tokens: dict[str, dict[str, str]]) -> None:
    path, everybody = "/v1/projects/carl/roses", tokens["all"]
    empty = programs.get(path, **everybody).body
    assert (empty["latest"], empty["gate"], empty["tasks"]) == (None, [], [])
    first, second = (
        programs.post(everybody, userId="carl", projectId="roses", seed=seed).body["taskId"] for seed in ("1", "2")
    )
    with ScriptedWorker(programs.endpoints.worker, "w2") as worker:
        start = worker.join().receive(m.Start)
        worker.finish(start)
        worker.send(m.Heartbeat(ready=True))
        again = worker.receive(m.Start)
        worse = Comparison(first, 20, 1, 9, 0.01, 0.5, 0.9, False, "It is worse.")
        trained = Trained(f"{again.spec.project_path}/models/{second}/model.tflite", comparison=worse)
        worker.send(m.Result(second, again.attempt, trained=trained))
        worker.receive(m.ResultAck)
    project = programs.get(path, **everybody).body
    assert project["latest"]["taskId"] == first
    assert project["latest"]["modelPath"].endswith(f"/models/{first}/model.tflite")
    assert [(each["taskId"], each["promoted"], each["sentence"]) for each in project["gate"]] == [
        (second, False, "It is worse."),
        (first, True, ""),
    ]
    assert [each["taskId"] for each in project["tasks"]] == [second, first]
    page = programs.get(f"{path}?limit=1", **everybody).body
    rest = programs.get(f"{path}?limit=1&cursor={page['next']}", **everybody).body
    assert [each["taskId"] for each in (*page["tasks"], *rest["tasks"])] == [second, first]
    assert programs.get(path, **tokens["anna"]).body["code"] == "user_not_allowed"
