"""Predictions over HTTP: real broker, real front-end, real runtime processes, and models computed by hand."""

from __future__ import annotations

import base64
import concurrent.futures
import io
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from protocol import messages as m
from protocol.artifact import UsableModel
from protocol.comparison import Comparison
from protocol.prediction import SentPicture
from tests.prediction_projects import plain, sent
from tests.runnable_tflite import SIDE, classified, colour_classifier, colour_segmenter
from tests.security.raw_http import RawCaller, request
from tests.socket.predicting import JSON, MULTIPART, done_task, form, predict, put_model, run_next
from tests.socket.programs import Answer, Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import TIMEOUT_S, wait_until

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
MULTIPART_LINE = f"Content-Type: {MULTIPART['Content-Type']}"
UNSUPPORTED = "unsupported_media_type"
BAD = SentPicture("bad.jpg", b"no picture")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("predictions"), WEB_MAX_PREDICT_BODY_MB=22) as running:
        yield running


@pytest.fixture(scope="module")
def worker(programs: Programs) -> Iterator[ScriptedWorker]:
    with ScriptedWorker(programs.endpoints.worker) as joined:
        yield joined.join()


@pytest.fixture(scope="module")
def task_id(programs: Programs, worker: ScriptedWorker) -> str:
    """A classifier of anna's project."""
    return done_task(programs, worker, colour_classifier(unknown_below=0.5))


def as_json(programs: Programs, task_id: str, *pictures: dict[str, Any]) -> Answer:
    body = json.dumps({"pictures": pictures}).encode()
    return predict(programs, f"/v1/tasks/{task_id}", body, JSON)


def check(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.body.get("code")) == (status, code), answer


def test_a_form_with_pictures_gets_labels_with_probabilities(programs: Programs, task_id: str) -> None:
    body = form(plain(RED, name="red.png"), plain((90, 100, 110), name="grey.png"))

    answer = predict(programs, f"/v1/tasks/{task_id}", body)

    assert answer.status == 200
    assert (answer.body["taskId"], answer.body["trainType"]) == (task_id, "classification")
    assert (answer.body["model"], answer.body["interim"]) == ("model.tflite", False)
    red, grey = answer.body["predictions"]
    assert (red["name"], red["label"], red["unknown"]) == ("red.png", "red", False)
    assert red["probability"] == pytest.approx(classified(*RED)[0], abs=1e-6)
    assert [label["label"] for label in red["labels"]] == ["red", "green", "blue"]
    assert (grey["name"], grey["label"], grey["unknown"]) == ("grey.png", "blue", True)
    assert [label["probability"] for label in grey["labels"]] == pytest.approx(classified(90, 100, 110), abs=1e-6)


def test_pictures_may_come_as_base64_or_lie_in_the_project(programs: Programs, task_id: str) -> None:
    project = programs.projects / "anna" / "flowers"
    (project / "blue.png").write_bytes(plain(BLUE).content)
    encoded = base64.b64encode(plain(GREEN).content).decode()

    answer = as_json(
        programs,
        task_id,
        {"base64": encoded},
        {"base64": encoded, "name": "leaf"},
        {"path": "blue.png"},
        {"path": f"models/{task_id}/model.tflite"},
    )

    assert answer.status == 200
    *good, refused = answer.body["predictions"]
    assert [(one["name"], one["label"]) for one in good] == [
        ("pictures[0]", "green"),
        ("leaf", "green"),
        ("blue.png", "blue"),
    ]
    assert (refused["code"], "label" in refused) == ("bad_picture", False)


@pytest.mark.door(24)
def test_a_model_that_was_taken_over_runs_if_the_journal_knows_its_bytes(
    programs: Programs, worker: ScriptedWorker, task_id: str
) -> None:
    """Its hash comes from a manifest in the folder, which a stranger may have written."""
    own, other = colour_classifier(unknown_below=0.5), colour_classifier(unknown_below=0.1)
    copy = done_task(programs, worker, own, trained={"taken_over_from": task_id})
    copy_of_copy = done_task(programs, worker, own, trained={"taken_over_from": copy})
    for good in (copy, copy_of_copy):
        assert predict(programs, f"/v1/tasks/{good}", form(plain(RED))).status == 200
    foreign = [
        done_task(programs, worker, other, trained={"taken_over_from": task_id}),
        done_task(programs, worker, own, trained={"taken_over_from": "0" * 32}),
    ]
    foreign.append(done_task(programs, worker, other, trained={"taken_over_from": foreign[0]}))
    for bad in foreign:
        check(predict(programs, f"/v1/tasks/{bad}", form(plain(RED))), 409, "model_unusable")


def test_a_segmenter_answers_with_a_mask_and_shares(programs: Programs, worker: ScriptedWorker) -> None:
    picture = Image.new("RGB", (SIDE * 3, SIDE), GREEN)
    picture.paste(RED, (0, 0, SIDE, SIDE))
    task_id = done_task(programs, worker, colour_segmenter(), trainType="segmentation")

    answer = predict(programs, f"/v1/tasks/{task_id}", form(sent(picture)))

    (prediction,) = answer.body["predictions"]
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(prediction["mask"]))))
    assert (prediction["width"], prediction["height"]) == (SIDE * 3, SIDE)
    assert mask.shape == (SIDE, SIDE * 3)
    assert (mask[5, 0], mask[5, -1]) == (0, 1)
    assert {share["label"]: round(share["share"], 1) for share in prediction["shares"]} == {
        "red": 0.3,
        "green": 0.7,
        "blue": 0.0,
    }


@pytest.mark.door(24)
def test_a_bad_picture_fails_alone(programs: Programs, task_id: str) -> None:
    path = f"/v1/tasks/{task_id}"
    huge = SentPicture("huge.png", b"x" * (20 * 2**20 + 1))

    several = predict(programs, path, form(BAD, plain(RED), huge))

    assert several.status == 200
    assert [one.get("code", one.get("label")) for one in several.body["predictions"]] == [
        *("bad_picture", "red", "picture_too_large")
    ]
    check(predict(programs, path, form(BAD)), 422, "bad_picture")
    check(predict(programs, path, form(huge)), 413, "picture_too_large")


@pytest.mark.parametrize(
    ("body", "headers", "refusal"),
    [
        (form(*[plain(RED, (1, 1))] * 33), {}, (400, "bad_fields")),
        (form(plain(RED), field="photo"), {}, (400, "bad_fields")),
        (form(), {}, (400, "bad_fields")),
        (b"", {"Content-Type": "text/plain"}, (415, "unsupported_media_type")),
        (b"", {"Content-Encoding": "gzip"}, (415, "unsupported_media_type")),
        (b"{}", JSON, (400, "bad_fields")),
        (b'{"pictures": []}', JSON, (400, "bad_fields")),
        (b'{"pictures": [{}]}', JSON, (400, "bad_fields")),
        (b'{"pictures": [{"base64": "AAAA", "path": "a.png"}]}', JSON, (400, "bad_fields")),
        (b'{"pictures": [{"base64": "no base64!"}]}', JSON, (400, "bad_fields")),
        (b'{"pictures": [{"path": "a.png", "size": 3}]}', JSON, (400, "bad_fields")),
        (b'{"pictures": [{"path": "missing.png"}]}', JSON, (422, "bad_picture")),
    ],
)
def test_what_is_no_call_is_refused_in_words(
    programs: Programs, task_id: str, body: bytes, headers: dict[str, str], refusal: tuple[int, str]
) -> None:
    check(predict(programs, f"/v1/tasks/{task_id}", body, headers), *refusal)


@pytest.mark.door(15)
def test_a_body_beyond_the_limit_of_pictures_is_refused_unread(programs: Programs, task_id: str) -> None:
    limit_bytes = programs.get("/v1/server").body["limits"]["maxPredictBodyBytes"]
    with RawCaller(programs.ports["WEB_PORT"]) as caller:
        caller.send(request(f"POST /v1/tasks/{task_id}/predict HTTP/1.1", f"Content-Length: {limit_bytes + 1}"))
        answer = caller.read_answer()

    assert (answer.status, answer.code) == (413, "body_too_large")
    assert f"the limit is {limit_bytes} ([web] max_predict_body_mb)" in answer.json()["error"]
    check(programs.call("POST", f"/v1/tasks/{task_id}/stop", b"x" * 100_000, MULTIPART), 413, "body_too_large")


@pytest.mark.door(15)
def test_large_bodies_leave_room_when_they_are_answered_refused_or_broken_off(programs: Programs, task_id: str) -> None:
    """Each of these takes a quarter of the room for all large bodies, and the room is needed again and again."""
    path, padding = f"/v1/tasks/{task_id}/predict", b"\0" * 19_000_000
    body = form(SentPicture("padded.png", plain(RED).content + padding))
    head = f"POST {path} HTTP/1.1", MULTIPART_LINE, f"Content-Length: {len(body)}"
    for number in range(8):
        with RawCaller(programs.ports["WEB_PORT"]) as caller:
            caller.send(request(*head) + body[: -number or None])
            if number == 0:
                assert caller.read_answer().status == 200
    assert predict(programs, f"/v1/tasks/{task_id}", body).status == 200
    for _ in range(5):
        check(predict(programs, f"/v1/tasks/{task_id}", body, {"Content-Type": "text/plain"}), 415, UNSUPPORTED)


def test_a_task_without_a_model_says_so(programs: Programs, worker: ScriptedWorker) -> None:
    keras = done_task(programs, worker, b"keras", name="model.keras")
    worker.heartbeat(ready=False)
    pending = programs.post_id()
    pictures = form(plain(RED))

    answer = predict(programs, f"/v1/tasks/{pending}", pictures)
    check(answer, 404, "no_model")
    assert answer.body["state"] == "pending"
    answer = predict(programs, f"/v1/tasks/{keras}", pictures)
    check(answer, 404, "no_model")
    assert "exports=tflite" in answer.body["error"]
    check(predict(programs, f"/v1/tasks/{'0' * 32}", pictures), 404, "unknown_task")
    programs.call("DELETE", f"/v1/tasks/{pending}")
    check(predict(programs, f"/v1/tasks/{pending}", pictures), 404, "no_model")


@pytest.mark.door(24)
def test_a_model_that_was_changed_in_its_folder_is_not_run(programs: Programs, worker: ScriptedWorker) -> None:
    content = colour_classifier(weights=77)
    task_id = done_task(programs, worker, content)
    file = programs.projects / "anna" / "flowers" / "models" / task_id / "model.tflite"
    file.write_bytes(content[:-1] + b"?")

    check(predict(programs, f"/v1/tasks/{task_id}", form(plain(RED))), 409, "model_changed")
    file.write_bytes(content)
    assert predict(programs, f"/v1/tasks/{task_id}", form(plain(RED))).status == 200


def test_a_project_answers_with_its_newest_promoted_model(programs: Programs, worker: ScriptedWorker) -> None:
    path, pictures = "/v1/projects/anna/latest", form(plain(RED))
    check(predict(programs, path, pictures), 404, "no_model")
    older = done_task(programs, worker, colour_classifier(weights=1), projectId="latest")
    worse = Comparison(older, 20, 0, 9, 0.01, 0.5, 0.9, promoted=False, sentence="It is worse.")

    newer = done_task(programs, worker, colour_classifier(weights=2), projectId="latest")
    done_task(programs, worker, colour_classifier(weights=3), projectId="latest", trained={"comparison": worse})

    answer = predict(programs, path, pictures)
    assert (answer.status, answer.body["taskId"]) == (200, newer)
    check(predict(programs, "/v1/projects/ben/latest", pictures), 404, "no_model")


def test_a_project_finds_its_model_behind_many_tasks(programs: Programs, worker: ScriptedWorker) -> None:
    """A page of tasks has a limit of bytes, so a few tasks with much metadata make pages of their own."""
    used = done_task(programs, worker, colour_classifier(weights=4), projectId="behind")
    worse = Comparison(used, 20, 0, 9, 0.01, 0.5, 0.9, promoted=False, sentence="It is worse.")
    metadata = {f"{number}": "\u20ac" * 500 for number in range(20)}
    new = {"userId": "anna", "projectId": "behind", "projectDir": "anna/flowers", "trainType": "classification"}
    body = json.dumps({**new, "metadata": metadata}).encode()
    later = [str(programs.call("POST", "/v1/tasks", body, JSON).body["taskId"]) for _ in range(80)]
    for _ in later[:40]:
        worker.finish(run_next(worker), comparison=worse)
    ended = f"/v1/tasks/{later[39]}"
    wait_until(lambda: programs.get(ended).body["state"] == "done", "the end of the last task")

    assert predict(programs, "/v1/projects/anna/behind", form(plain(RED))).body["taskId"] == used
    assert programs.get("/v1/projects/anna/behind").body["latest"]["taskId"] == used
    for task_id in later[40:]:
        programs.call("DELETE", f"/v1/tasks/{task_id}")


def test_a_task_with_a_time_budget_answers_before_its_end(programs: Programs, worker: ScriptedWorker) -> None:
    content = colour_classifier(weights=9)
    worker.connect_progress(programs.endpoints.collect)
    worker.heartbeat(ready=False)
    task_id = programs.post_id(projectId="budget")
    start = run_next(worker)
    model = put_model(start, content)
    usable = UsableModel(f"{start.spec.project_path}/models/{task_id}/{model.name}", model)

    def answer() -> Answer | None:
        worker.publish(m.Progress(task_id, 1, 30.0, usable=usable))
        worker.heartbeat(False, m.Holding(task_id, 1))
        answer = predict(programs, f"/v1/tasks/{task_id}", form(plain(RED)))
        return answer if answer.status == 200 else None

    answered = wait_until(answer, "an answer of the first model")
    assert answered is not None
    assert (answered.body["interim"], answered.body["predictions"][0]["label"]) == (True, "red")
    assert predict(programs, "/v1/projects/anna/budget", form(plain(RED))).body["interim"]
    worker.finish(start)


def runtimes(programs: Programs) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(programs.pid("web")).children()
        if "trainer_worker.prediction" in child.cmdline()
    ]


@pytest.mark.door(24)
def test_killed_processes_cost_no_answer(programs: Programs, task_id: str) -> None:
    def call(number: int) -> Answer:
        return predict(programs, f"/v1/tasks/{task_id}", form(plain((number, 0, 255)), plain(RED)))

    with concurrent.futures.ThreadPoolExecutor(4) as callers:
        for _ in range(3):
            # A picture that has met two killed processes would rightly be refused, so all answers come between kills.
            answers = [callers.submit(call, number) for number in range(20)]
            answers[5].result(TIMEOUT_S)
            runtimes(programs)[0].kill()
            for answer in answers:
                assert [one["label"] for one in answer.result(TIMEOUT_S).body["predictions"]] == ["blue", "red"]


def test_processes_end_with_the_front_end(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        folder = tmp_path / number.name
        folder.mkdir()
        with Programs(folder) as programs, ScriptedWorker(programs.endpoints.worker) as worker:
            task_id = done_task(programs, worker.join(), colour_classifier())
            assert predict(programs, f"/v1/tasks/{task_id}", form(plain(RED))).status == 200
            (process,) = runtimes(programs)
            if number is signal.SIGTERM:
                assert programs.stop("web", number) == 0
            else:
                programs.kill("web")
            wait_until(lambda: not process.is_running(), "the end of the runtime process")  # noqa: B023


@pytest.mark.door(16)
def test_tokens_of_one_user_predict_with_that_users_models(programs: Programs, worker: ScriptedWorker) -> None:
    """The last test here: from its first token on, every call needs one."""
    everybody = programs.make_token("website")
    reader, ben = programs.make_token("reader", "--read-only"), programs.make_token("ben", "--user", "ben")
    task_id = done_task(programs, worker, colour_classifier(weights=5), headers=everybody, projectId="tokens")
    pictures, path = form(plain(RED)), f"/v1/tasks/{task_id}"

    assert predict(programs, path, pictures, everybody).status == 200
    assert predict(programs, path, pictures, reader).status == 200
    assert predict(programs, "/v1/projects/anna/tokens", pictures, reader).status == 200
    check(predict(programs, path, pictures, ben), 404, "unknown_task")
    check(predict(programs, "/v1/projects/anna/tokens", pictures, ben), 404, "no_model")
    check(predict(programs, path, pictures), 401, "unauthorized")
    check(predict(programs, path, b"x" * 1_000_000, {"Authorization": "Bearer wrong"}), 401, "unauthorized")
