"""Strangers who name projects in object storage, and tokens of one user there."""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.fault_proxy import Fault
from tests.object_servers import BUCKET, KEY, SECRET, refuse_missing_packages
from tests.socket.object_projects import ROOT, Service, object_service
from tests.socket.test_uploads import jpeg
from tfmodel_client import Client

MODEL = b"a model" * 1000

HOSTILE = (
    *(
        f"s3://{KEY}:{SECRET}@{BUCKET}/users/anna",
        f"s3://{BUCKET}@evil.example/users/anna",
        f"s3://{BUCKET}:80/users/a",
    ),
    *(f"{ROOT}/../others", f"{ROOT}/anna/../../others", f"{ROOT}/./anna", f"{ROOT}//anna"),
    *(f"s3://{BUCKET}", f"s3://{BUCKET}/", ROOT, f"{ROOT}/", f"{ROOT}s/anna", f"s3://{BUCKET}/others/anna"),
    *("s3://other/users/anna", f"gs://{BUCKET}/users/anna", f"az://{BUCKET}/users/anna", f"S3://{BUCKET}/users/anna"),
    *(
        f"http://{BUCKET}/users/anna",
        f"s3:/{BUCKET}/users/anna",
        f"s3:///{BUCKET}/users/anna",
        "s3://",
        "s3:",
        "s3://x",
    ),
    *(f"{ROOT}/anna?X-Amz-Signature=abc", f"{ROOT}/anna#x", f"{ROOT}/anna?versionId=1", f"{ROOT}/a\\..\\b/../../x"),
    *("s3://169.254.169.254/latest/meta-data", "s3://127.0.0.1/users/anna", "s3://localhost/users", "s3://[::1]/users"),
    *(
        "\uff533://photos/users/anna",
        f"s3\uff1a//{BUCKET}/users/a",
        f"s3://{BUCKET}\uff0fusers/anna",
        "s3://ph\u043etos/users/a",
    ),
    *(f"{ROOT}/{'a' * 5000}", f"{ROOT}/" + "a/" * 2000, f"{ROOT}/{'é' * 500}"),
    *(f"{ROOT}/anna/models/x", f"{ROOT}/anna/.tfmodel/tasks"),
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    refuse_missing_packages()
    folder = tmp_path_factory.mktemp("storage-doors")
    with object_service(folder, STORAGE_SERVE="signed", STORAGE_SIGNED_URL_TTL_S=60) as running:
        running.server.fill("others/anna", {"1.jpg": b"x"})
        running.put_file("anna/1.jpg", b"x")
        yield running


@pytest.fixture(scope="module")
def operator(service: Service) -> dict[str, str]:
    """The headers of a caller who may do everything."""
    return service.programs.make_token("website")


@pytest.mark.door(30)
@pytest.mark.parametrize("url", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_url_is_refused_and_no_server_is_asked(service: Service, operator: dict[str, str], url: str) -> None:
    header = f"Authorization: {operator['Authorization']}"
    with service.proxy.always(Fault()):
        fields = {"userId": "anna", "projectId": "p", "projectDir": url, "trainType": "classification"}
        answers = [
            service.ask("POST /v1/tasks", header, body=fields),
            service.ask("POST /v1/check", header, body=fields),
            service.ask("POST /v1/corrections", header, body={**fields, "changes": []} | {"trainType": None}),
            service.ask(f"GET /v1/corrections?userId=anna&projectDir={quote(url)}", header),
            service.ask(f"GET /v1/thumbnails?path={quote(url)}/../x.jpg", header),
        ]
        if url.rstrip("/") != ROOT:
            answers.append(service.ask(f"GET /v1/folders?path={quote(url)}/..", header))
        assert service.proxy.seen == []
    for answer in answers:
        assert answer.status in (400, 403, 404), answer
        assert SECRET not in answer.body.decode()


@pytest.mark.door(30)
def test_percent_signs_and_dots_in_names_are_taken_as_they_are(service: Service, operator: dict[str, str]) -> None:
    service.put_file("%2e%2e/x/1.jpg", b"x")
    answer = service.programs.post(operator, projectDir=f"{ROOT}/%2e%2e/x")
    assert (answer.status, answer.body["projectDir"]) == (200, f"{ROOT}/%2e%2e/x")
    assert service.programs.call("DELETE", f"/v1/tasks/{answer.body['taskId']}", None, operator).status == 200


@pytest.mark.door(30)
def test_a_token_of_one_user_looks_only_into_that_users_uploads(service: Service, operator: dict[str, str]) -> None:
    of_bert = service.programs.make_token("bert", "--user", "bert")
    service.put_file("uploads/bert/p/roses/1.jpg", jpeg(1))
    service.put_file("uploads/bertram/p/roses/1.jpg", jpeg(1))
    programs = service.programs
    top = programs.get("/v1/folders", **of_bert)
    assert (top.status, top.body["path"], top.body["parent"]) == (200, f"{ROOT}/uploads/bert", None)
    assert [each["name"] for each in top.body["folders"]] == ["p"]
    for path in (ROOT, f"{ROOT}/uploads", f"{ROOT}/uploads/bertram", f"{ROOT}/uploads/bert/../anna", f"{ROOT}/anna"):
        assert programs.get(f"/v1/folders?path={quote(path)}", **of_bert).status == 403, path
        assert programs.get(f"/v1/thumbnails?path={quote(path)}/1.jpg", **of_bert).status == 403, path
    task_id = service.finish_with("anna", MODEL, operator)
    for path in ("artifacts/model.tflite", "report", "log", "pictures/1.jpg"):
        assert programs.get(f"/v1/tasks/{task_id}/{path}", **of_bert).status == 404


@pytest.mark.door(31)
def test_a_signed_url_gives_one_file_for_a_short_time_and_is_in_no_log(
    service: Service, operator: dict[str, str], tmp_path: Path
) -> None:
    task_id = service.finish_with("anna/signed", MODEL, operator)
    header = f"Authorization: {operator['Authorization']}"
    path = f"/v1/tasks/{task_id}/artifacts/model.tflite"
    answer = service.ask(f"GET {path}", header)
    address = urlsplit(answer.headers["location"])
    assert (answer.status, answer.headers["cache-control"]) == (307, "no-store")
    assert answer.headers["etag"] == f'"{hashlib.sha256(MODEL).hexdigest()}"'
    assert "X-Amz-Expires=60" in address.query
    assert SECRET not in answer.headers["location"]
    connection = http.client.HTTPConnection(address.netloc)
    connection.request("GET", f"{address.path}?{address.query}", headers={"Range": "bytes=0-6"})
    assert connection.getresponse().read() == b"a model"
    connection.close()
    assert "X-Amz-Signature" not in service.programs.log_of("web")
    assert service.ask(f"HEAD {path}", header).status == 200
    token = operator["Authorization"].removeprefix("Bearer ")
    with Client(f"http://127.0.0.1:{service.programs.ports['WEB_PORT']}", token=token) as client:
        client.download(task_id, tmp_path)
    assert (tmp_path / "model.tflite").read_bytes() == MODEL
    key = f"anna/signed/models/{task_id}/1-0123abcd/model.tflite"
    service.put_file(key, b"another size")
    changed = service.ask(f"GET {path}", header)
    assert (changed.status, changed.code) == (409, "artifact_changed")
    service.put_file(key, b"A" + MODEL[1:])
    assert service.ask(f"GET {path}", header).status == 307, "bytes behind a signed URL are for the caller to check"
    assert json.loads(service.ask(f"GET /v1/tasks/{task_id}/artifacts", header).body)["artifacts"]
