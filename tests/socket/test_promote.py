"""POST …/promote: an earlier model is made the one in use, at a real front-end, a real broker and a real folder."""

from __future__ import annotations

import functools
import io
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocol.comparison import Comparison
from protocol.task import Trained
from tests.finished_models import FRUITS, finish_task
from tests.prediction_projects import plain
from tests.runnable_tflite import colour_classifier
from tests.sample_tasks import hex_id
from tests.socket.predicting import form, predict
from tests.socket.programs import Answer, Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until
from tfmodel_client import Client
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.model_folder import ModelFolder

WORSE = Comparison(hex_id("other"), 60, 0, 9, 0.01, 0.7, 0.9, False, "It is worse, so models/latest was not moved.")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """The front-end has room for one ended task, so it asks the broker for the others."""
    folder = tmp_path_factory.mktemp("promote")
    with Programs(folder, HOME=folder / "state", WEB_CACHED_TASKS=1) as running:
        yield running


@pytest.fixture(scope="module")
def worker(programs: Programs) -> Iterator[ScriptedWorker]:
    with ScriptedWorker(programs.endpoints.worker) as joined:
        yield joined.join()


@pytest.fixture
def project(programs: Programs, request: pytest.FixtureRequest) -> dict[str, str]:
    """The fields of a project that the test has for itself."""
    name = request.node.name.removeprefix("test_")[:40]
    (programs.projects / "anna" / name).mkdir()
    return {"projectId": name, "projectDir": f"anna/{name}"}


def lay(project: Path, task_id: str, compared: Comparison | None = None) -> Trained:
    """Publish a model as a worker does."""
    content = colour_classifier(labels=FRUITS)
    verdict = {"promoted": compared is None or compared.promoted, "comparison": msgspec.to_builtins(compared)}
    with ProjectFolder.open(project) as opened, ModelFolder(opened, task_id, 1) as folder:
        folder.add("model.tflite", io.BytesIO(content))
        folder.publish({"model_file": "model.tflite", "train_type": "classification", **verdict})
        return Trained(f"{project}/models/{task_id}/model.tflite", comparison=compared, artifacts=folder.artifacts)


def promote(programs: Programs, task_id: str, **headers: str) -> Answer:
    return programs.call("POST", f"/v1/tasks/{task_id}/promote", b"", headers)


def latest(programs: Programs, project: dict[str, str]) -> str:
    return str((programs.projects / project["projectDir"] / "models" / "latest").readlink())


def shown(programs: Programs, project: dict[str, str]) -> dict[str, Any]:
    answer = programs.get(f"/v1/projects/anna/{project['projectId']}")
    assert answer.status == 200, answer
    return answer.body


def promoted_events(programs: Programs, task_id: str) -> list[dict[str, Any]]:
    answer = programs.get("/v1/events?types=model.promoted&since=0&wait=0.1")
    return [event for event in answer.body["events"] if event["taskId"] == task_id]


def test_an_earlier_model_is_made_the_latest(
    programs: Programs, worker: ScriptedWorker, project: dict[str, str]
) -> None:
    first = finish_task(programs, worker, lay, **project)
    worse = finish_task(programs, worker, functools.partial(lay, compared=WORSE), **project)
    newest = finish_task(programs, worker, lay, **project)
    assert (latest(programs, project), shown(programs, project)["latest"]["taskId"]) == (newest, newest)
    assert programs.get(f"/v1/tasks/{worse}").body["promoted"] is False

    answer = promote(programs, worse)

    assert answer.status == 200, answer
    assert (answer.body["taskId"], answer.body["promoted"]) == (worse, True)
    assert not any("models/latest" in warning for warning in answer.body["warnings"])
    assert latest(programs, project) == worse
    view = shown(programs, project)
    assert (view["latest"]["taskId"], view["latest"]["byPerson"]) == (worse, True)
    assert view["latest"]["inUseSince"] == answer.body["promotedAt"]
    decisions = [(each["taskId"], each["promoted"], each["byPerson"]) for each in view["gate"]]
    assert decisions == [(newest, True, False), (worse, True, True), (first, True, False)]
    body = form(plain((255, 0, 0)))
    assert predict(programs, f"/v1/projects/anna/{project['projectId']}", body).body["taskId"] == worse
    (event,) = promoted_events(programs, worse)
    assert (event["state"], event["modelPath"]) == ("done", answer.body["modelPath"])

    again = promote(programs, worse)
    assert again.body == answer.body, "twice is the same as once"
    assert len(promoted_events(programs, worse)) == 1
    assert promote(programs, first).body["taskId"] == first
    assert shown(programs, project)["latest"]["taskId"] == first

    stream = programs.get(f"/v1/tasks/{worse}/events?since={event['id'] - 1}&wait=5")
    assert [each["type"] for each in stream.body["events"]] == ["model.promoted"]


def test_what_stopped_between_link_and_journal_is_mended_by_the_same_call(
    programs: Programs, worker: ScriptedWorker, project: dict[str, str]
) -> None:
    first = finish_task(programs, worker, lay, **project)
    second = finish_task(programs, worker, lay, **project)
    link = programs.projects / project["projectDir"] / "models" / "latest"
    link.unlink()
    link.symlink_to(first)  # as a front-end leaves it that is killed before it tells the broker
    assert shown(programs, project)["latest"]["taskId"] == second

    assert promote(programs, first).status == 200
    assert shown(programs, project)["latest"]["taskId"] == first
    link.unlink()
    link.symlink_to(second)  # by hand, which the journal can't know
    assert promote(programs, first).status == 200
    assert (latest(programs, project), len(promoted_events(programs, first))) == (first, 1)


def test_of_several_promotions_at_once_link_and_journal_name_the_same_model(
    programs: Programs, worker: ScriptedWorker, project: dict[str, str]
) -> None:
    models = [finish_task(programs, worker, lay, **project) for _ in range(2)]

    with ThreadPoolExecutor(6) as callers:
        answers = list(callers.map(functools.partial(promote, programs), models * 3))

    assert {answer.status for answer in answers} == {200}
    assert latest(programs, project) == shown(programs, project)["latest"]["taskId"]


def test_a_promotion_outlives_the_broker_and_the_front_end(
    programs: Programs, worker: ScriptedWorker, project: dict[str, str]
) -> None:
    first = finish_task(programs, worker, lay, **project)
    finish_task(programs, worker, lay, **project)
    seen = promote(programs, first).body
    for name in ("web", "broker"):
        programs.kill(name)
    programs.start("broker")
    programs.start("web")
    programs.wait_synced()
    worker.join()
    view = programs.get(f"/v1/tasks/{first}").body
    assert (view["promoted"], view["promotedAt"], view["seq"]) == (True, seen["promotedAt"], seen["seq"])
    assert shown(programs, project)["latest"]["taskId"] == first


def test_what_cannot_be_promoted_is_refused_with_a_sentence(
    programs: Programs, worker: ScriptedWorker, project: dict[str, str]
) -> None:
    def refused(task_id: str, status: int, code: str, words: str) -> None:
        answer = promote(programs, task_id)
        assert (answer.status, answer.body["code"]) == (status, code), answer
        assert words in answer.body["error"]

    refused(hex_id("none"), 404, "unknown_task", "There is no task")
    refused("x", 404, "unknown_task", "32 hexadecimal digits")
    first = finish_task(programs, worker, lay, **project)
    second = finish_task(programs, worker, lay, **project)
    folder = programs.projects / project["projectDir"]
    tflite = folder / "models" / first / "model.tflite"
    content = tflite.read_bytes()
    tflite.write_bytes(content.replace(b"apple", b"appel"))
    refused(first, 409, "model_changed", "are no longer the ones")
    shutil.rmtree(tflite.parent)
    refused(first, 409, "model_changed", "has been removed")
    assert latest(programs, project) == second
    shutil.move(folder, folder.with_name("elsewhere"))
    refused(second, 409, "model_changed", "Put the folder back")

    waiting = programs.post_id()
    refused(waiting, 404, "no_model", "The task is pending")
    programs.call("DELETE", f"/v1/tasks/{waiting}")
    refused(waiting, 404, "no_model", "The task is cancelled")


def test_the_client_and_the_command_promote(
    programs: Programs, worker: ScriptedWorker, project: dict[str, str]
) -> None:
    first = finish_task(programs, worker, lay, **project)
    second = finish_task(programs, worker, lay, **project)
    with Client(f"http://127.0.0.1:{programs.ports['WEB_PORT']}") as client:
        assert client.promote(first).promoted
    assert latest(programs, project) == first

    done = programs.run("server.py", "promote", second)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"models/latest names the model of task {second}.\n"
    assert latest(programs, project) == second


def test_a_token_that_may_only_read_and_another_user_are_refused(
    programs: Programs, worker: ScriptedWorker, project: dict[str, str]
) -> None:
    task_id = finish_task(programs, worker, lay, **project)
    tokens = {
        name: programs.make_token(name, *words)
        for name, words in {"reader": ["--read-only"], "ben": ["--user", "ben"], "anna": ["--user", "anna"]}.items()
    }
    wait_until(lambda: programs.get(f"/v1/tasks/{task_id}").status == 401, "that tokens are needed")
    for name, code in (("reader", "read_only_token"), ("ben", "unknown_task")):
        answer = promote(programs, task_id, **tokens[name])
        assert answer.body["code"] == code, answer
    assert promote(programs, task_id, **tokens["anna"]).status == 200
