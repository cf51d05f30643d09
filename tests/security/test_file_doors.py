"""The files of a model and the log of a task: they lie in a stranger's folder, and a real front-end sends them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol import messages as m
from protocol.artifact import Artifact
from protocol.epochs import EpochRecord
from protocol.errors import REFUSAL_CODES
from protocol.project_layout import EPOCHS, KEPT, LOG, MODELS, TASKS
from tests.security.exchanges import swap_for_a_link, swap_for_another, swap_parent_for_a_link
from tests.security.planted_entries import ENTRIES, SECRET, secret_in
from tests.security.raw_http import RawAnswer, RawCaller, ask, request
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until

WEIGHTS = bytes(range(256)) * 40
SIZE_BYTES = len(WEIGHTS)
INSIDE = "saved_model/variables/variables.index"
MANIFEST = {"exports": {"score_name": "held_out_accuracy", "formats": [{"file": "model.tflite", "score": 0.75}]}}
FILES = {
    "model.tflite": WEIGHTS,
    "labels.txt": b"blue\nred\n",
    INSIDE: b"index",
    "report.html": b"<script>fetch('/v1/workers')</script>",
    "manifest.json": json.dumps(MANIFEST).encode(),
}
LINES = b"2026-11-29T20:00:00.000+00:00 INFO Attempt 1 begins.\n"
EPOCH = b'{"attempt":1,"stage":"train","part":"","epoch":1,"epochsMax":3,"at":"2026-11-29T20:00:00.000+00:00"}\n'
ETAG = f'"{hashlib.sha256(WEIGHTS).hexdigest()}"'

Task = tuple[str, Path]


def artifact(name: str, content: bytes) -> Artifact:
    return Artifact(name, len(content), hashlib.sha256(content).hexdigest())


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    folder = tmp_path_factory.mktemp("files")
    with Programs(folder, HOME=folder / "state") as running:
        yield running


def make_done(programs: Programs, project: Path, files: dict[str, bytes], project_id: str = "flowers") -> Task:
    """A task that is done, and its project, with these files in the model's folder, a log and an epoch."""
    project.mkdir(parents=True)
    with ScriptedWorker(programs.endpoints.worker) as worker:
        worker.join()
        task_id = programs.post_id(projectDir=str(project), projectId=project_id)
        worker.heartbeat(ready=True)
        artifacts = tuple(artifact(name, content) for name, content in files.items())
        worker.finish(worker.receive(m.Start), artifacts=artifacts)
    wait_until(lambda: programs.task(task_id).body["state"] == "done", "the front-end to hear of the result")
    for name, content in files.items():
        path = project / MODELS / task_id / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    kept = project / KEPT / TASKS / task_id
    kept.mkdir(parents=True)
    (kept / LOG).write_bytes(LINES)
    (kept / EPOCHS).write_bytes(EPOCH)
    return task_id, project


@pytest.fixture
def done(programs: Programs, request: pytest.FixtureRequest) -> Iterator[Task]:
    project = programs.projects / "people" / request.node.name[:60] / "flowers"
    yield make_done(programs, project, FILES)
    shutil.rmtree(programs.projects / "people")


def get(programs: Programs, task_id: str, rest: str, *lines: str, method: str = "GET") -> RawAnswer:
    return ask(programs.ports["WEB_PORT"], f"{method} /v1/tasks/{task_id}/{rest} HTTP/1.1", *lines)


def check_refused(answer: RawAnswer, code: str) -> None:
    assert (answer.status, answer.code) == (REFUSAL_CODES[code], code), answer
    assert answer.headers["content-type"] == "application/json"
    assert SECRET not in answer.body


def check_harmless(answer: RawAnswer) -> None:
    """Whatever stands in the file, a browser runs nothing of it, and takes it for nothing else."""
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


# ---- what is sent ----


@pytest.mark.door(22)
def test_every_file_that_is_listed_is_sent_as_it_is(programs: Programs, done: Task) -> None:
    listed = get(programs, done[0], "artifacts").json()
    assert (listed["taskId"], listed["attempt"], listed["interim"]) == (done[0], 1, False)
    files: dict[str, Any] = {file["name"]: file for file in listed["artifacts"]}
    assert files.keys() == FILES.keys()
    assert (files["model.tflite"]["score"], files["model.tflite"]["scoreName"]) == (0.75, "held_out_accuracy")
    assert "score" not in files["labels.txt"]
    for name, content in FILES.items():
        answer = ask(programs.ports["WEB_PORT"], f"GET {files[name]['url']} HTTP/1.1")
        assert (answer.status, answer.body) == (200, content)
        assert files[name]["sizeBytes"] == len(content)
        assert answer.headers["etag"] == f'"{files[name]["sha256"]}"' == f'"{hashlib.sha256(content).hexdigest()}"'
        assert answer.headers["content-type"] == files[name]["mediaType"]
        assert answer.headers["content-disposition"] == f'attachment; filename="{name.rpartition("/")[2]}"'
        check_harmless(answer)
        headed = ask(programs.ports["WEB_PORT"], f"HEAD {files[name]['url']} HTTP/1.1", "Range: bytes=0-1")
        assert (headed.status, headed.headers["content-length"]) == (200, str(len(content)))


@pytest.mark.door(22)
@pytest.mark.parametrize(
    ("lines", "status", "span"),
    [
        (["Range: bytes=0-9"], 206, (0, 10)),
        (["Range: bytes=1000-"], 206, (1000, SIZE_BYTES)),
        (["Range: bytes=-7"], 206, (SIZE_BYTES - 7, SIZE_BYTES)),
        (["Range: bytes=5-999999999"], 206, (5, SIZE_BYTES)),
        (["Range: bytes=0-1,5-6"], 200, (0, SIZE_BYTES)),
        (["Range: lines=0-1"], 200, (0, SIZE_BYTES)),
        (["Range: bytes=9-1"], 200, (0, SIZE_BYTES)),
        (["Range: bytes=3-4", f"If-Range: {ETAG}"], 206, (3, 5)),
        (["Range: bytes=3-4", 'If-Range: "another"'], 200, (0, SIZE_BYTES)),
        (["Range: bytes=3-4", f"If-Range: W/{ETAG}"], 200, (0, SIZE_BYTES)),
        ([f"If-None-Match: W/{ETAG}"], 304, (0, 0)),
        ([f'If-None-Match: "x", {ETAG}'], 304, (0, 0)),
        (["If-None-Match: *"], 304, (0, 0)),
        (['If-None-Match: "x"'], 200, (0, SIZE_BYTES)),
    ],
)
def test_a_part_is_what_was_asked_for(
    programs: Programs, done: Task, lines: list[str], status: int, span: tuple[int, int]
) -> None:
    answer = get(programs, done[0], "artifacts/model.tflite", *lines)
    begin, end = span
    assert (answer.status, answer.body, answer.headers["etag"]) == (status, WEIGHTS[begin:end], ETAG)
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {begin}-{end - 1}/{SIZE_BYTES}"


@pytest.mark.door(22)
def test_a_part_behind_the_end_is_refused_with_the_size(programs: Programs, done: Task) -> None:
    answer = get(programs, done[0], "artifacts/model.tflite", f"Range: bytes={len(WEIGHTS)}-")
    check_refused(answer, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(WEIGHTS)}"


@pytest.mark.door(22)
def test_a_zip_holds_all_files_and_is_the_same_each_time(programs: Programs, done: Task) -> None:
    answer = get(programs, done[0], "artifacts.zip")
    assert answer.status == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="flowers-{done[0]}.zip"'
    check_harmless(answer)
    with zipfile.ZipFile(io.BytesIO(answer.body)) as packed:
        assert packed.testzip() is None
        assert {name: packed.read(name) for name in packed.namelist()} == FILES
    assert get(programs, done[0], "artifacts.zip").body == answer.body
    assert get(programs, done[0], "artifacts.zip", method="HEAD").headers["content-length"] == str(len(answer.body))


@pytest.mark.door(22)
def test_a_large_zip_arrives_whole_and_has_a_harmless_name(programs: Programs) -> None:
    files = {"model.tflite": os.urandom(20 * 2**20), "model.onnx": b"x" * (300 * 1024)}
    project = programs.projects / "large"
    task_id, _ = make_done(programs, project, files, project_id='../"Blüten".zip\u202e')
    answer = get(programs, task_id, "artifacts.zip")
    shutil.rmtree(project)
    with zipfile.ZipFile(io.BytesIO(answer.body)) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == files
    plain, encoded = answer.headers["content-disposition"].removeprefix("attachment; ").split("; ")
    assert plain == f'filename="__Bl_ten_.zip_-{task_id}.zip"'
    assert encoded == f"filename*=UTF-8''__Bl%C3%BCten_.zip_-{task_id}.zip"


@pytest.mark.door(22)
def test_a_log_is_sent_from_where_the_caller_is(programs: Programs, done: Task) -> None:
    answer = get(programs, done[0], "log")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, LINES, "text/plain; charset=utf-8")
    check_harmless(answer)
    for offset in (0, 1, len(LINES), len(LINES) + 5, 2**53):
        assert get(programs, done[0], f"log?offset={offset}").body == LINES[offset:]
        assert get(programs, done[0], f"log?offset={offset}&follow=1").body == LINES[offset:]
    headed = get(programs, done[0], "log", method="HEAD")
    assert (headed.status, headed.headers["content-length"]) == (200, str(len(LINES)))
    check_refused(get(programs, done[0], "log?offset=-1"), "bad_fields")


# ---- what is not ----


@pytest.mark.door(22)
@pytest.mark.parametrize("put", ENTRIES)
def test_only_a_regular_file_of_that_very_folder_is_sent(
    programs: Programs, done: Task, tmp_path: Path, put: Callable[[Path, Path], None]
) -> None:
    task_id, project = done
    put(project / MODELS / task_id / "model.tflite", secret_in(tmp_path))
    check_refused(get(programs, task_id, "artifacts/model.tflite"), "no_artifact")
    check_refused(get(programs, task_id, "artifacts.zip"), "no_artifact")
    names = [file["name"] for file in get(programs, task_id, "artifacts").json()["artifacts"]]
    assert "model.tflite" not in names
    (tmp_path / "log").mkdir()
    put(project / KEPT / TASKS / task_id / LOG, secret_in(tmp_path / "log"))
    check_refused(get(programs, task_id, "log"), "no_log")
    assert ask(programs.ports["WEB_PORT"], "GET /healthz HTTP/1.1").status == 200


@pytest.mark.door(22)
@pytest.mark.parametrize("put", ENTRIES)
def test_epochs_come_from_a_regular_file_alone(
    programs: Programs, done: Task, tmp_path: Path, put: Callable[[Path, Path], None]
) -> None:
    secret = secret_in(tmp_path)
    put(done[1] / KEPT / TASKS / done[0] / EPOCHS, secret)
    assert get(programs, done[0], "metrics").json() == {"epochs": [], "next": 0}


@pytest.mark.door(22)
@pytest.mark.parametrize("swap", [swap_for_another, swap_for_a_link, swap_parent_for_a_link])
def test_a_folder_in_the_place_of_the_posted_one_is_not_read(
    programs: Programs, done: Task, tmp_path: Path, swap: Callable[[Path, Path], None]
) -> None:
    task_id, project = done
    victims = tmp_path / "victims"
    shutil.copytree(project, victims)
    swap(project, victims)
    check_refused(get(programs, task_id, "artifacts/model.tflite"), "no_artifact")
    check_refused(get(programs, task_id, "artifacts.zip"), "no_artifact")
    check_refused(get(programs, task_id, "log"), "no_log")
    check_refused(get(programs, task_id, "metrics"), "no_log")
    assert get(programs, task_id, "artifacts").json()["artifacts"] == []


@pytest.mark.door(22)
@pytest.mark.parametrize(
    "name",
    ["held_out.json", "saved_model", "..", "../../flowers", "saved_model/../labels.txt", "%2e%2e/x", "model.tflite/"],
)
def test_a_file_that_the_journal_does_not_name_is_not_sent(programs: Programs, done: Task, name: str) -> None:
    (done[1] / MODELS / done[0] / "held_out.json").write_bytes(SECRET)
    check_refused(get(programs, done[0], f"artifacts/{name}"), "no_artifact")


@pytest.mark.door(22)
def test_a_file_that_was_changed_is_refused_before_its_first_byte(programs: Programs, done: Task) -> None:
    """Also one that was sent before, whatever its time says."""
    file = done[1] / MODELS / done[0] / "model.tflite"
    before = file.stat()
    assert get(programs, done[0], "artifacts/model.tflite").body == WEIGHTS
    file.write_bytes(WEIGHTS[:-1] + b"!")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    check_refused(get(programs, done[0], "artifacts/model.tflite"), "artifact_changed")
    check_refused(get(programs, done[0], "artifacts.zip"), "artifact_changed")
    file.write_bytes(WEIGHTS + b"!")
    check_refused(get(programs, done[0], "artifacts/model.tflite"), "artifact_changed")
    assert "model.tflite" not in [file["name"] for file in get(programs, done[0], "artifacts").json()["artifacts"]]


@pytest.mark.door(22)
@pytest.mark.parametrize("path", ["artifacts/model.tflite", "artifacts.zip"])
def test_a_file_that_changes_while_it_is_sent_ends_the_connection(
    programs: Programs, path: str, tmp_path: Path
) -> None:
    project, size_bytes = programs.projects / "changing" / tmp_path.name, 16 * 2**20
    task_id, _ = make_done(programs, project, {"model.tflite": b"x" * size_bytes})
    with RawCaller(programs.ports["WEB_PORT"]) as caller:
        caller.send(request(f"GET /v1/tasks/{task_id}/{path} HTTP/1.1"))
        caller.socket.recv(1)  # it has begun, and what is read ahead is far less than the whole
        with (project / MODELS / task_id / "model.tflite").open("r+b") as file:
            file.write(b"y")
        received = 1
        while part := caller.socket.recv(2**20):
            received += len(part)
    shutil.rmtree(project)
    assert received < size_bytes
    assert ask(programs.ports["WEB_PORT"], "GET /healthz HTTP/1.1").status == 200
    assert "Traceback" not in programs.log_of("web")


@pytest.mark.door(22)
def test_a_manifest_that_lies_gives_no_scores(programs: Programs, done: Task) -> None:
    manifest = done[1] / MODELS / done[0] / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"0.75", b"0.99"))
    assert all("score" not in file for file in get(programs, done[0], "artifacts").json()["artifacts"])


@pytest.mark.door(22)
def test_epochs_that_we_would_not_have_written_are_left_out(programs: Programs, done: Task) -> None:
    hostile = [
        *(b"", b"[]", b"{}", b"null", b"[" * 100_000, b"\xff", EPOCH[:-1].replace(b"1", b"1e400")),
        EPOCH[:-1].replace(b'"train"', b'"a train"'),
        EPOCH[:-1].replace(b'"epoch":1', b'"epoch":-1'),
    ]
    (done[1] / KEPT / TASKS / done[0] / EPOCHS).write_bytes(b"\n".join([*hostile, EPOCH + EPOCH[:30]]))
    answer = get(programs, done[0], "metrics").json()
    record = EpochRecord(1, "train", "", 1, 3, "2026-11-29T20:00:00.000+00:00")
    assert answer["epochs"] == [{**json.loads(EPOCH), "metrics": record.metrics}]
    assert answer["next"] == len(hostile) + 1
    assert get(programs, done[0], f"metrics?after={answer['next']}").json() == {"epochs": [], "next": answer["next"]}


@pytest.mark.door(22)
def test_callers_that_leave_in_the_middle_cost_nothing(programs: Programs, tmp_path: Path) -> None:
    """More of them than files may be sent at once: each one's file is closed again."""
    project = programs.projects / tmp_path.name
    task_id, _ = make_done(programs, project, {"model.tflite": b"x" * (4 * 2**20)})
    for number in range(110):
        path = ("artifacts/model.tflite", "artifacts.zip")[number % 2]
        with RawCaller(programs.ports["WEB_PORT"]) as caller:
            caller.send(request(f"GET /v1/tasks/{task_id}/{path} HTTP/1.1"))
            caller.socket.recv(1)
    assert get(programs, task_id, "artifacts/model.tflite").status == 200
    shutil.rmtree(project)
    assert "Traceback" not in programs.log_of("web")


@pytest.mark.door(22)
def test_a_task_without_a_model_has_no_files(programs: Programs) -> None:
    waiting = programs.post_id()
    assert get(programs, waiting, "artifacts").json()["artifacts"] == []
    check_refused(get(programs, waiting, "artifacts/model.tflite"), "no_artifact")
    check_refused(get(programs, waiting, "artifacts.zip"), "no_artifact")
    check_refused(get(programs, waiting, "log"), "no_log")
    assert get(programs, waiting, "metrics").json() == {"epochs": [], "next": 0}
    programs.call("DELETE", f"/v1/tasks/{waiting}")
    check_refused(get(programs, waiting, "log?follow=1"), "no_log")
    for rest in ("artifacts", "artifacts/x", "artifacts.zip", "log", "metrics"):
        check_refused(get(programs, "0" * 32, rest), "unknown_task")
