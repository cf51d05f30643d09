"""The made-up finished tasks that tests of the page use: a real front-end serves everything a page shows of them."""

from __future__ import annotations

import functools
import hashlib
import http.client
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.prediction import SentPicture
from tests.finished_models import FRUITS, PARTS, finish_task, lay_classifier, lay_segmenter
from tests.sample_tasks import hex_id
from tests.socket.predicting import form, predict
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import TIMEOUT_S


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("finished")) as running:
        (running.projects / "anna" / "leaves").mkdir()
        yield running


@pytest.fixture(scope="module")
def worker(programs: Programs) -> Iterator[ScriptedWorker]:
    with ScriptedWorker(programs.endpoints.worker) as joined:
        yield joined.join()


@pytest.fixture(scope="module")
def tasks(programs: Programs, worker: ScriptedWorker) -> dict[str, str]:
    leaves = {"projectId": "leaves", "projectDir": "anna/leaves", "trainType": "segmentation"}
    return {
        "classifier": finish_task(programs, worker, lay_classifier),
        "segmenter": finish_task(programs, worker, lay_segmenter, **leaves),
    }


def file_of(programs: Programs, task_id: str, name: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", programs.ports["WEB_PORT"], timeout=TIMEOUT_S)
    try:
        connection.request("GET", f"/v1/tasks/{task_id}/artifacts/{name}")
        response = connection.getresponse()
        assert response.status == 200, (name, response.status)
        return response.read()
    finally:
        connection.close()


def json_of(programs: Programs, task_id: str, name: str) -> dict[str, Any]:
    return dict(json.loads(file_of(programs, task_id, name)))


def test_every_file_of_the_classifier_is_served_with_its_hash(programs: Programs, tasks: dict[str, str]) -> None:
    task_id = tasks["classifier"]
    listed = programs.get(f"/v1/tasks/{task_id}/artifacts").body["artifacts"]
    for artifact in listed:
        content = file_of(programs, task_id, artifact["name"])
        assert hashlib.sha256(content).hexdigest() == artifact["sha256"], artifact
    metrics = json_of(programs, task_id, "metrics.json")
    wrong = [entry for entry in metrics["held_out"] if entry["truth"] != entry["predicted"]]
    assert (len(metrics["held_out"]), len(wrong) > 3, metrics["labels"]) == (60, True, list(FRUITS))
    assert len(json_of(programs, task_id, "held_out.json")["pictures"]) == 60
    with zipfile.ZipFile(io.BytesIO(file_of(programs, task_id, "app_pack.zip"))) as pack:
        assert {"web/classifier.mjs", "python/predict.py"} <= set(pack.namelist())
    assert "held_out_masks.json" not in {artifact["name"] for artifact in listed}


def test_the_models_answer_predictions(programs: Programs, tasks: dict[str, str]) -> None:
    photo = programs.projects / "anna" / "flowers" / "images" / "pear" / "003.jpg"
    plant = programs.projects / "anna" / "leaves" / "images" / "plant_000.jpg"

    named = predict(programs, f"/v1/tasks/{tasks['classifier']}", form(_sent(photo))).body["predictions"][0]
    masked = predict(programs, f"/v1/tasks/{tasks['segmenter']}", form(_sent(plant))).body["predictions"][0]

    assert named["label"] == "pear"
    assert [share["label"] for share in masked["shares"]] == list(PARTS)


def test_the_segmenter_has_the_masks_of_its_worst_pictures(programs: Programs, tasks: dict[str, str]) -> None:
    masks = json_of(programs, tasks["segmenter"], "held_out_masks.json")
    held_out = json_of(programs, tasks["segmenter"], "metrics.json")["held_out"]
    shown = masks["pictures"]
    assert (masks["labels"], len(shown)) == (list(PARTS), 5)  # the worst four, and one in the middle
    assert shown[0]["score"] == min(entry["dice"] for entry in held_out)
    assert {picture["picture"] for picture in shown} <= {entry["file"] for entry in held_out}


def test_two_versions_are_compared(programs: Programs, worker: ScriptedWorker, tasks: dict[str, str]) -> None:
    first = tasks["classifier"]
    second = finish_task(programs, worker, functools.partial(lay_classifier, seed=2))
    answer = programs.get(f"/v1/compare?tasks={first},{second}")
    assert answer.status == 200, answer
    (difference,) = answer.body["differences"]
    assert (answer.body["pictures"], answer.body["measure"], difference["against"]) == (60, "accuracy", first)
    assert difference["low"] < difference["value"] < difference["high"]
    apart = answer.body["disagreements"]
    assert len(apart) == answer.body["disagreeing"] > 3
    assert all(len(set(each["answers"].values())) == 2 for each in apart)
    assert (programs.projects / "anna" / "flowers" / apart[0]["picture"]).is_file()


def test_what_cannot_be_compared_is_refused(programs: Programs, worker: ScriptedWorker, tasks: dict[str, str]) -> None:
    first, waiting = tasks["classifier"], programs.post_id()
    refusals = {
        f"{first}": (400, "bad_fields"),
        f"{first},{first}": (400, "bad_fields"),
        f"{first},{tasks['segmenter']}": (400, "bad_fields"),
        f"{first},x": (400, "bad_fields"),
        f"{first},{hex_id('none')}": (404, "unknown_task"),
        f"{first},{waiting}": (404, "no_artifact"),
    }
    for named, expected in refusals.items():
        answer = programs.get(f"/v1/compare?tasks={named}")
        assert (answer.status, answer.body["code"]) == expected, answer
    programs.call("DELETE", f"/v1/tasks/{waiting}")


def _sent(path: Path) -> SentPicture:
    return SentPicture(path.name, path.read_bytes())
