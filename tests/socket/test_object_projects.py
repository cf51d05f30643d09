"""Projects in object storage, at a real front-end: all that is done with a folder is done with them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

from protocol.corrections import Action, Correction
from protocol.project_url import ProjectUrl
from tests.fault_proxy import Fault
from tests.object_servers import BUCKET, SECRET, refuse_missing_packages
from tests.security.raw_http import RawAnswer
from tests.socket.browsing import listed, look, shown
from tests.socket.object_projects import PUBLICATION, ROOT, Service, object_service
from tests.socket.test_uploads import jpeg, upload
from web.folders.corrections_in_storage import change_table, read_table
from web.folders.object_stores import ObjectStores

PROJECT = f"{ROOT}/anna/flowers"


def hanging() -> Fault:
    """Storage that takes requests and answers none."""
    return Fault(hangs_until=threading.Event())


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    refuse_missing_packages()
    with object_service(tmp_path_factory.mktemp("object-projects")) as running:
        yield running


@pytest.fixture(scope="module")
def task_id(service: Service) -> str:
    return service.finish("anna/flowers")


def key_of(task_id: str, name: str) -> str:
    """The key of a file of the model, relative to ROOT."""
    return f"anna/flowers/models/{task_id}/{PUBLICATION}/{name}"


def artifacts(service: Service, task_id: str) -> dict[str, dict[str, Any]]:
    answer = service.ask(f"GET /v1/tasks/{task_id}/artifacts")
    assert answer.status == 200, answer
    return {each["name"]: each for each in answer.json()["artifacts"]}


def check(answer: RawAnswer, status: int, code: str) -> None:
    assert (answer.status, answer.code) == (status, code), answer


# ---- posting ----


def test_a_project_is_known_by_the_normal_text_of_its_url(service: Service) -> None:
    service.put_file("bert/new/1.jpg", b"x")
    answer = service.programs.post(projectDir=f"{ROOT}/bert/new/", userId="bert")
    assert (answer.status, answer.body["projectDir"]) == (200, f"{ROOT}/bert/new")
    again = service.programs.post({"Idempotency-Key": "k"}, projectDir=f"{ROOT}/bert/new", userId="bert")
    same = service.programs.post({"Idempotency-Key": "k"}, projectDir=f"{ROOT}/bert/new/", userId="bert")
    assert again.body["taskId"] == same.body["taskId"]
    for task in (answer, again):
        assert service.programs.call("DELETE", f"/v1/tasks/{task.body['taskId']}").status == 200


def test_a_project_without_an_object_does_not_exist(service: Service) -> None:
    service.put_file("bert/newer/1.jpg", b"x")
    for name in ("bert/nothing", "bert/new/1", "bert/newe"):
        answer = service.programs.post(projectDir=f"{ROOT}/{name}")
        assert (answer.status, answer.body["code"], list(answer.body["fields"])) == (400, "bad_fields", ["projectDir"])
        assert "is not an existing folder; upload the photos first" in answer.body["error"]


def test_a_project_elsewhere_is_not_allowed(service: Service) -> None:
    for url in (f"s3://{BUCKET}/others/x", "s3://other-bucket/users/x", f"gs://{BUCKET}/users/x", ROOT + "x/y", ROOT):
        answer = service.programs.post(projectDir=url)
        assert (answer.status, answer.body["code"]) == (403, "project_dir_not_allowed"), url
        assert ROOT in answer.body["error"]
    inside = service.programs.post(projectDir=f"{PROJECT}/models/x")
    assert (inside.status, "where the worker keeps" in inside.body["error"]) == (400, True)


# ---- files of a model ----


def test_every_file_of_a_model_is_served_with_its_hash(service: Service, task_id: str) -> None:
    files = artifacts(service, task_id)
    assert {"model.tflite", "manifest.json", "metrics.json", "report.html"} <= set(files)
    assert files["model.tflite"]["scoreName"] == "held_out_accuracy"
    for name, file in files.items():
        answer = service.ask(f"GET {file['url']}")
        assert answer.status == 200, answer
        assert hashlib.sha256(answer.body).hexdigest() == file["sha256"], name
        assert answer.headers["etag"] == f'"{file["sha256"]}"'
    report = service.ask(f"GET /v1/tasks/{task_id}/report")
    assert (report.status, report.headers["content-security-policy"][:8]) == (200, "sandbox;")
    assert report.body == service.ask(f"GET {files['report.html']['url']}").body


def test_a_part_of_a_file_and_one_that_is_known(service: Service, task_id: str) -> None:
    url = f"/v1/tasks/{task_id}/artifacts/model.tflite"
    whole = service.ask(f"GET {url}")
    part = service.ask(f"GET {url}", "Range: bytes=100-199", f"If-Range: {whole.headers['etag']}")
    assert (part.status, part.body) == (206, whole.body[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.body)}"
    assert service.ask(f"GET {url}", f"If-None-Match: {whole.headers['etag']}").status == 304
    check(service.ask(f"GET {url}", "Range: bytes=999999999-"), 416, "range_not_satisfiable")


def test_the_zip_has_all_files(service: Service, task_id: str) -> None:
    files = artifacts(service, task_id)
    answer = service.ask(f"GET /v1/tasks/{task_id}/artifacts.zip")
    assert answer.status == 200, answer
    with zipfile.ZipFile(io.BytesIO(answer.body)) as packed:
        found = {name: hashlib.sha256(packed.read(name)).hexdigest() for name in packed.namelist()}
    assert found == {name: file["sha256"] for name, file in files.items()}


def test_the_log_and_the_epochs(service: Service, task_id: str) -> None:
    log = service.ask(f"GET /v1/tasks/{task_id}/log")
    assert (log.status, b"the model is published" in log.body) == (200, True)
    rest = service.ask(f"GET /v1/tasks/{task_id}/log?offset=10&follow=1")
    assert rest.body == log.body[10:]
    assert service.ask(f"GET /v1/tasks/{task_id}/metrics").json()["epochs"]


def test_a_file_with_other_bytes_is_not_sent_and_one_that_is_gone_is_said_to_be(service: Service, task_id: str) -> None:
    url, key = f"/v1/tasks/{task_id}/artifacts/model_int8.tflite", key_of(task_id, "model_int8.tflite")
    right = service.server.read(f"users/{key}")
    service.put_file(key, b"y" * len(right))
    check(service.ask(f"GET {url}"), 409, "artifact_changed")
    check(service.ask(f"GET /v1/tasks/{task_id}/artifacts.zip"), 409, "artifact_changed")
    service.put_file(key, b"short")
    check(service.ask(f"GET {url}"), 409, "artifact_changed")
    assert "model_int8.tflite" not in artifacts(service, task_id)
    service.server.store().delete(f"users/{key}")
    check(service.ask(f"GET {url}"), 404, "no_artifact")
    service.put_file(key, right)
    assert service.ask(f"GET {url}").body == right


def test_an_earlier_model_is_made_the_one_in_use(service: Service, task_id: str) -> None:
    key = "users/anna/flowers/models/latest"
    service.server.fill("users/anna/flowers/models", {"latest": b"nothing that we would have written"})
    answer = service.ask(f"POST /v1/tasks/{task_id}/promote")
    assert answer.status == 200, answer
    named = json.loads(service.server.read(key))
    assert named == {"task_id": task_id, "model_path": service.programs.get(f"/v1/tasks/{task_id}").body["modelPath"]}
    assert service.programs.get("/v1/projects/anna/anna-flowers").body["latest"]["taskId"] == task_id
    model = key_of(task_id, "labels.txt")
    right = service.server.read(f"users/{model}")
    service.put_file(model, b"x" * len(right))
    check(service.ask(f"POST /v1/tasks/{task_id}/promote"), 409, "model_changed")
    service.put_file(model, right)
    assert json.loads(service.server.read(key)) == named


def test_a_project_is_checked(service: Service, task_id: str) -> None:
    fields = {"userId": "anna", "projectId": "p", "projectDir": PROJECT, "trainType": "classification"}
    before = service.server.names("users/anna/flowers")
    answer = service.ask("POST /v1/check", body=fields)
    assert answer.status == 200, answer
    report = answer.json()
    assert (report["trainable"], report["counts"]) == (True, {"apple": 40, "pear": 40, "plum": 40}), report
    assert service.server.names("users/anna/flowers") == before, "a check leaves nothing in the storage"
    check(service.ask("POST /v1/check", body={**fields, "projectDir": f"{ROOT}/anna/none"}), 400, "bad_fields")


# ---- predictions ----


def test_a_model_answers_only_with_the_hash_of_the_journal_and_also_while_the_storage_is_away(
    service: Service, task_id: str
) -> None:
    key = key_of(task_id, "model.tflite")
    right = service.server.read(f"users/{key}")
    sent = {"pictures": [{"path": "images/apple/000.jpg"}]}
    service.put_file(key, right[:-1] + b"z")
    check(service.ask(f"POST /v1/tasks/{task_id}/predict", body=sent), 409, "model_changed")
    service.put_file(key, right)
    pictures = [
        {"path": path} for path in ("images/apple/000.jpg", "images/pear/001.jpg", "no.jpg", "../x", "models/x")
    ]
    answer = service.ask(f"POST /v1/tasks/{task_id}/predict", body={"pictures": pictures})
    assert answer.status == 200, answer
    found = answer.json()["predictions"]
    assert [each["name"] for each in found] == [each["path"] for each in pictures]
    assert [each.get("label") for each in found[:2]] == ["apple", "pear"]
    assert [each.get("code") for each in found[2:]] == ["bad_picture"] * 3
    photo = base64.b64encode(service.server.read("users/anna/flowers/images/pear/001.jpg")).decode()
    with service.proxy.always(hanging()):
        own = service.ask(f"POST /v1/tasks/{task_id}/predict", body={"pictures": [{"base64": photo}]})
    assert (own.status, own.json()["predictions"][0]["label"]) == (200, "pear")


# ---- looking around ----


def test_folders_are_listed_page_by_page(service: Service, task_id: str) -> None:
    top = listed(service.programs)
    assert [each["path"] for each in top["folders"]] == [ROOT, str(service.programs.projects)]
    project = listed(service.programs, PROJECT)
    assert [each["name"] for each in project["folders"]] == ["images"], "the worker's own folders are not shown"
    counted = listed(service.programs, f"{PROJECT}/images")["folders"]
    assert [(each["name"], each["pictures"], each["more"]) for each in counted][1:] == [
        ("pear", 40, False),
        ("plum", 41, False),
    ]
    assert (project["folders"][0]["folders"], project["folders"][0]["pictures"]) == (3, 0)
    assert (project["path"], project["parent"]) == (PROJECT, f"{ROOT}/anna")
    assert (listed(service.programs, f"{ROOT}/")["path"], listed(service.programs, ROOT)["parent"]) == (ROOT, "")
    service.put_file("anna/flowers/images/apple/notes.txt", b"x")
    service.put_file("anna/flowers/images/apple/.DS_Store", b"x")
    pages: list[list[dict[str, Any]]] = []
    cursor = ""
    while not pages or cursor:
        page = listed(service.programs, f"{PROJECT}/images/apple", limit=15, cursor=cursor or None)
        pages.append(page["pictures"])
        assert page["otherFiles"] == 1
        cursor = page["next"]
    names = [each["name"] for page in pages for each in page]
    assert (len(pages), names) == (3, sorted(names)), pages
    assert (len(names), pages[0][0]["sizeBytes"] > 1000) == (40, True)
    check(look(service.programs, "folders", path=f"{ROOT}/anna/nothing"), 404, "no_folder")
    check(look(service.programs, "folders", path=f"{PROJECT}/models"), 404, "no_folder")


def test_pictures_are_shown_and_known_by_the_etag_of_their_object(service: Service, task_id: str) -> None:
    service.put_file("anna/flowers/shown/a.jpg", jpeg(1))
    path = f"{PROJECT}/shown/a.jpg"
    first = look(service.programs, "thumbnails", path=path, size=64)
    assert shown(first).size == (64, 48)
    known = f"If-None-Match: {first.headers['etag']}"
    assert look(service.programs, "thumbnails", known, path=path, size=64).status == 304
    of_task = service.ask(f"GET /v1/tasks/{task_id}/pictures/shown/a.jpg?size=64")
    assert (of_task.body, of_task.headers["etag"]) == (first.body, first.headers["etag"])
    service.put_file("anna/flowers/shown/a.jpg", jpeg(2))
    second = look(service.programs, "thumbnails", known, path=path, size=64)
    assert (second.status, second.body != first.body) == (200, True)
    for name in ("shown/none.jpg", "shown", "models/latest", "shown//a.jpg", "shown/./a.jpg"):
        check(service.ask(f"GET /v1/tasks/{task_id}/pictures/{quote(name)}"), 404, "no_picture")


# ---- corrections ----


def test_corrections_are_read_and_changed(service: Service, task_id: str) -> None:
    query = f"/v1/corrections?userId=anna&projectDir={quote(PROJECT)}"
    assert service.ask(f"GET {query}").json()["corrections"] == []
    names = {"userId": "anna", "projectId": "p", "projectDir": f"{PROJECT}/"}
    change = {"picture": "images/apple/000.jpg", "action": "exclude"}
    answer = service.ask("POST /v1/corrections", body={**names, "changes": [change]})
    assert answer.status == 200, answer
    assert service.ask(f"GET {query}").json() == {**answer.json(), "projectDir": PROJECT}
    assert b"images/apple/000.jpg,exclude" in service.server.read("users/anna/flowers/corrections.csv")
    back = service.ask("POST /v1/corrections", body={**names, "changes": [{**change, "action": "none"}]})
    assert (back.status, back.json()["corrections"]) == (200, [])
    check(service.ask(f"GET /v1/corrections?userId=anna&projectDir={quote(ROOT)}/none"), 400, "bad_fields")


def test_writers_of_corrections_lose_none_of_each_others_rows(service: Service) -> None:
    place = ObjectStores([ProjectUrl.parse_root(ROOT)], service.server.settings()).place(f"{ROOT}/anna/crowded")

    def write(number: int) -> None:
        name = f"{number}.jpg"
        for _ in range(50):
            try:
                change_table(place, {name: Correction(name, Action.EXCLUDE)})
                return
            except OSError:
                continue

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(24)))
    assert {one.picture for one in read_table(place).corrections()} == {f"{number}.jpg" for number in range(24)}


# ---- uploads ----


def test_uploaded_pictures_become_objects_and_replace_none(service: Service) -> None:
    service.put_file("uploads/carl/p/roses/1.jpg", b"somebody else's")
    names = {"userId": "carl", "projectId": "p"}
    view = upload(service.programs, jpeg(1), **names)
    assert (view["state"], view["picture"], view["projectDir"]) == ("stored", "roses/1-2.jpg", f"{ROOT}/uploads/carl/p")
    assert service.server.read("users/uploads/carl/p/roses/1-2.jpg") == jpeg(1)
    assert service.server.read("users/uploads/carl/p/roses/1.jpg") == b"somebody else's"
    again = upload(service.programs, jpeg(1), **names, sha256=hashlib.sha256(jpeg(1)).hexdigest())
    assert (again["state"], again["duplicateOf"]) == ("duplicate", "roses/1-2.jpg")
    overview = service.ask("GET /v1/uploads?userId=carl&projectId=p").json()
    assert (overview["labels"], overview["pictures"]) == ([{"label": "roses", "pictures": 2}], 2)
    assert service.programs.post(projectDir=view["projectDir"], userId="carl").status == 200
    bad = {"userId": "c?arl", "projectId": "p", "label": "roses", "name": "1.jpg", "sizeBytes": 10}
    check(service.ask("POST /v1/uploads", body=bad), 400, "bad_fields")


# ---- storage that fails ----


def test_a_connection_that_is_cut_gives_a_whole_file_or_none(service: Service, task_id: str) -> None:
    url, key = f"/v1/tasks/{task_id}/artifacts/model_float16.tflite", key_of(task_id, "model_float16.tflite")
    right = service.server.read(f"users/{key}")
    service.put_file(key, right)  # a new time, and the same bytes
    with service.proxy.always(Fault(cut_after_bytes=50_000)):
        cut = service.ask(f"GET {url}")
    assert cut.status in (200, 503), cut
    assert cut.status != 200 or cut.body == right
    assert service.ask(f"GET {url}").body == right


# ---- secrets ----


@pytest.mark.door(31)
def test_no_credential_is_in_an_answer_a_log_or_the_journal(service: Service, task_id: str) -> None:
    logs = service.programs.log_of("web") + service.programs.log_of("broker")
    assert SECRET not in logs
    assert SECRET.encode() not in service.programs.journal.read_bytes()
    assert SECRET not in json.dumps(service.programs.get("/v1/server").body)
