"""Uploads at a real front-end: a folder of photos is sent part by part, and can then be trained on."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.socket.browsing import listed, look, shown
from tests.socket.programs import Answer, Programs
from tests.waiting import wait_until
from web.api.uploads import CHUNK_BYTES

JSON = {"Content-Type": "application/json"}
RAW = {"Content-Type": "application/octet-stream"}
MB = 1024**2


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(
        tmp_path_factory.mktemp("uploads"),
        WEB_MAX_UPLOAD_MB=3,
        WEB_MAX_UPLOAD_PICTURES=60,
        WEB_MAX_UPLOAD_PROJECT_MB=5,
    ) as running:
        yield running


def jpeg(number: int, more_bytes: int = 0) -> bytes:
    """A picture of its own. more_bytes: behind its end, where decoders don't look."""
    file = io.BytesIO()
    Image.new("RGB", (64, 48), (number * 37 % 256, number * 11 % 256, 90)).save(file, "JPEG", comment=str(number))
    return file.getvalue() + bytes(more_bytes)


def begin(programs: Programs, content: bytes | int, headers: dict[str, str] | None = None, **changes: Any) -> Answer:
    size_bytes = content if isinstance(content, int) else len(content)
    fields = {"userId": "anna", "projectId": "p", "label": "roses", "name": "1.jpg", "sizeBytes": size_bytes, **changes}
    return programs.call("POST", "/v1/uploads", json.dumps(fields).encode(), {**JSON, **(headers or {})})


def begun(programs: Programs, content: bytes | int, **changes: Any) -> dict[str, Any]:
    answer = begin(programs, content, **changes)
    assert answer.status == 201, answer
    return answer.body


def send(programs: Programs, upload_id: str, offset: object, part: bytes, **headers: str) -> Answer:
    return programs.call("POST", f"/v1/uploads/{upload_id}", part, {**RAW, "Upload-Offset": str(offset), **headers})


def upload(programs: Programs, content: bytes, **changes: Any) -> dict[str, Any]:
    view = begun(programs, content, **changes)
    while view["state"] == "open":
        part = content[view["offset"] : view["offset"] + view["chunkBytes"]]
        answer = send(programs, view["uploadId"], view["offset"], part)
        assert answer.status == 200, answer
        view = answer.body
    return view


def check(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.body.get("code")) == (status, code), answer


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def incoming(programs: Programs) -> list[str]:
    return names_in(programs.projects / "uploads" / ".incoming")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_an_uploaded_project_can_be_trained_on(programs: Programs) -> None:
    for number in range(24):
        label = "tulips" if number % 2 else "roses"
        view = upload(programs, jpeg(number), projectId="flowers", label=label, name=f"{number}.jpg")
        assert (view["state"], view["picture"]) == ("stored", f"{label}/{number}.jpg")
    project = view["projectDir"]

    found = programs.get("/v1/uploads?userId=anna&projectId=flowers").body
    assert found["labels"] == [{"label": "roses", "pictures": 12}, {"label": "tulips", "pictures": 12}]
    assert (found["projectDir"], found["pictures"]) == (project, 24)
    assert found["sizeBytes"] == sum(len(jpeg(number)) for number in range(24))
    assert found["limits"] == programs.get("/v1/server").body["limits"]["uploads"]
    assert found["limits"]["maxPictureBytes"] == 3 * MB
    assert [folder["pictures"] for folder in listed(programs, project)["folders"]] == [12, 12]
    assert shown(look(programs, "thumbnails", path=f"{project}/{view['picture']}")).size == (64, 48)
    fields = {"userId": "anna", "projectId": "flowers", "projectDir": project, "trainType": "classification"}
    checked = programs.call("POST", "/v1/check", json.dumps(fields).encode(), JSON)
    assert (checked.status, checked.body["trainable"]) == (200, True), checked
    assert checked.body["counts"] == {"roses": 12, "tulips": 12}
    assert incoming(programs) == []


def test_an_upload_goes_on_after_the_server_was_killed(programs: Programs) -> None:
    content = jpeg(1, 2 * MB)
    view = begun(programs, content, projectId="large")
    assert view["chunkBytes"] == CHUNK_BYTES
    assert send(programs, view["uploadId"], 0, content[:CHUNK_BYTES]).body["offset"] == CHUNK_BYTES
    programs.kill("web")
    programs.start("web")
    programs.wait_synced()

    lost = send(programs, view["uploadId"], 0, content[:CHUNK_BYTES])
    check(lost, 409, "wrong_offset")
    assert lost.headers["upload-offset"] == str(CHUNK_BYTES)
    assert programs.get(f"/v1/uploads/{view['uploadId']}").body["offset"] == CHUNK_BYTES
    assert send(programs, view["uploadId"], CHUNK_BYTES, content[CHUNK_BYTES : 2 * CHUNK_BYTES]).status == 200
    ended = send(programs, view["uploadId"], 2 * CHUNK_BYTES, content[2 * CHUNK_BYTES :]).body

    assert (ended["state"], ended["picture"], ended["offset"]) == ("stored", "roses/1.jpg", len(content))
    assert (Path(ended["projectDir"]) / ended["picture"]).read_bytes() == content
    assert programs.get(f"/v1/uploads/{view['uploadId']}").body == ended


def test_a_duplicate_is_told_and_not_stored_and_a_taken_name_gets_a_number(programs: Programs) -> None:
    one, other = jpeg(1), jpeg(2)
    first = upload(programs, one, projectId="twice")
    project = Path(first["projectDir"])

    known = begun(programs, one, projectId="twice", name="copy.jpg", sha256=sha256(one))
    assert (known["state"], known["duplicateOf"], known["uploadId"], known["picture"]) == (
        *("duplicate", "roses/1.jpg", ""),
        "",
    )
    found = upload(programs, one, projectId="twice", name="copy.jpg")
    assert (found["state"], found["duplicateOf"]) == ("duplicate", "roses/1.jpg")
    assert upload(programs, one, projectId="twice", label="tulips")["state"] == "stored"
    assert upload(programs, other, projectId="twice")["picture"] == "roses/1-2.jpg"
    (project / "roses" / "by-hand.jpg").write_bytes(jpeg(3))
    by_hand = upload(programs, jpeg(3), projectId="twice", name="by-hand.jpg")
    assert (by_hand["state"], by_hand["duplicateOf"]) == ("duplicate", "roses/by-hand.jpg")
    assert names_in(project / "roses") == ["1-2.jpg", "1.jpg", "by-hand.jpg"]

    (project / "roses" / "1.jpg").unlink()
    assert upload(programs, one, projectId="twice", sha256=sha256(one))["picture"] == "roses/1.jpg"


def test_two_tabs_that_send_the_same_picture_do_not_mix_their_parts(programs: Programs) -> None:
    content = jpeg(5, MB + 1000)
    with ThreadPoolExecutor(4) as tabs:
        views = list(tabs.map(lambda _: begun(programs, content, projectId="tabs", sha256=sha256(content)), range(4)))
        assert len({view["uploadId"] for view in views}) == 1
        upload_id = views[0]["uploadId"]
        answers = list(tabs.map(lambda _: send(programs, upload_id, 0, content[:CHUNK_BYTES]), range(4)))
        assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
        ends = list(tabs.map(lambda _: send(programs, upload_id, CHUNK_BYTES, content[CHUNK_BYTES:]), range(4)))
    assert {(end.status, end.body["state"]) for end in ends} == {(200, "stored")}
    stored = Path(ends[0].body["projectDir"]) / "roses"
    assert [(name, (stored / name).read_bytes() == content) for name in names_in(stored)] == [("1.jpg", True)]


def test_what_can_not_be_stored_is_refused_with_its_field(programs: Programs) -> None:
    for field, value, words in (
        ("name", "../1.jpg", "slash"),
        ("name", "1.txt", ".jpg"),
        ("name", "photo.heic", ".jpg"),
        ("name", ".hidden.jpg", "dot"),
        ("label", "a/b", "slash"),
        ("label", "models", "uses itself"),
        ("label", "x" * 101, "100"),
        ("label", "", "empty"),
        ("projectId", "..", "dot"),
        ("projectId", ".tfmodel", "dot"),
        ("userId", "a\\b", "slash"),
        ("userId", "a\u0001", "control"),
        ("userId", "e\u0301", "NFC"),
        ("sizeBytes", 0, "0"),
    ):
        answer = begin(programs, **{"content": 10, field: value})  # type: ignore[arg-type]
        check(answer, 400, "bad_fields")
        assert (list(answer.body["fields"]), words in answer.body["error"]) == ([field], True), answer
    check(begin(programs, 4 * MB), 413, "picture_too_large")
    check(begin(programs, 10, more="x"), 400, "bad_fields")
    assert upload(programs, jpeg(1), projectId="names", label="e\u0301te\u0301")["picture"] == "\u00e9t\u00e9/1.jpg"


def test_a_part_that_does_not_fit_is_refused(programs: Programs) -> None:
    content = jpeg(1)
    upload_id = begun(programs, content, projectId="parts")["uploadId"]
    check(send(programs, upload_id, "", content), 400, "bad_fields")
    check(send(programs, upload_id, "-1", content), 400, "bad_fields")
    check(send(programs, upload_id, 0, b""), 400, "bad_fields")
    check(send(programs, upload_id, 0, content + b"x"), 400, "bad_fields")
    check(send(programs, upload_id, 0, content, **{"Content-Type": "image/jpeg"}), 415, "unsupported_media_type")
    check(send(programs, upload_id, 0, bytes(CHUNK_BYTES + 1)), 413, "body_too_large")
    check(send(programs, "0" * 32, 0, content), 404, "unknown_upload")
    check(programs.get("/v1/uploads/none"), 404, "unknown_upload")
    assert send(programs, upload_id, 0, content).body["state"] == "stored"
    # What is no picture is told at its first part, and is not kept.
    upload_id = begun(programs, 100, projectId="parts", name="2.jpg")["uploadId"]
    check(send(programs, upload_id, 0, b"<html>" + bytes(60)), 422, "bad_picture")
    check(send(programs, upload_id, 0, content[:100]), 404, "unknown_upload")
    upload_id = begun(programs, content, projectId="parts", name="3.jpg", sha256="0" * 64)["uploadId"]
    check(send(programs, upload_id, 0, content), 422, "bad_picture")
    assert upload_id not in incoming(programs)


def test_a_project_has_a_limit_that_counts_what_is_on_its_way(programs: Programs) -> None:
    for number in (1, 2):
        begun(programs, 2 * MB, projectId="full", name=f"{number}.jpg")
    full = begin(programs, 2 * MB, projectId="full", name="3.jpg")
    check(full, 507, "project_full")
    assert "max_upload_project_mb" in full.body["error"]
    for number in range(60):
        begun(programs, 10, projectId="many", name=f"{number}.jpg")
    check(begin(programs, 10, projectId="many", name="60.jpg"), 507, "project_full")


@pytest.mark.door(27)
def test_no_upload_leads_through_a_link_or_over_a_file(programs: Programs, tmp_path: Path) -> None:
    uploads = programs.projects / "uploads"
    content = jpeg(9)
    for user, where in (("m1", "m1"), ("m2", "m2/p"), ("m3", "m3/p/roses")):
        view = begun(programs, content, userId=user)
        (uploads / where).parent.mkdir(parents=True, exist_ok=True)
        (uploads / where).symlink_to(tmp_path)
        check(send(programs, view["uploadId"], 0, content), 503, "uploads_unavailable")
        assert names_in(tmp_path) == []
        (uploads / where).unlink()
        # All has arrived, so the upload ends as soon as the link has gone.
        assert programs.get(f"/v1/uploads/{view['uploadId']}").body["state"] == "stored"
    secret = tmp_path / "secret"
    secret.write_bytes(b"keep")
    folder = uploads / "mallory" / "p" / "roses"
    folder.mkdir(parents=True)
    (folder / "1.jpg").symlink_to(secret)
    os.mkfifo(folder / "1-2.jpg")
    assert upload(programs, jpeg(10), userId="mallory")["picture"] == "roses/1-3.jpg"
    assert secret.read_bytes() == b"keep"
    # The part that has arrived is swapped for a link, then for a pipe.
    for swap in (lambda path: path.symlink_to(secret), os.mkfifo):
        view = begun(programs, content, userId="mallory", label="tulips")
        (part,) = (uploads / ".incoming").glob(f"{view['uploadId']}.*")
        part.unlink()
        swap(part)
        assert send(programs, view["uploadId"], 0, content).status in (200, 503)
        assert secret.read_bytes() == b"keep"


def test_old_uploads_are_forgotten_with_what_has_arrived(programs: Programs) -> None:
    content = jpeg(1)
    view = begun(programs, content, projectId="old")
    stray = programs.projects / "uploads" / ".incoming" / "stray"
    stray.write_bytes(b"x")
    programs.kill("web")
    with sqlite3.connect(programs.settings.upload_file) as db:
        db.execute("UPDATE uploads SET touched_at_s = touched_at_s - 90000 WHERE upload_id = ?", (view["uploadId"],))
    db.close()
    programs.start("web")
    programs.wait_synced()

    begun(programs, content, projectId="new")

    check(programs.get(f"/v1/uploads/{view['uploadId']}"), 404, "unknown_upload")
    assert not {view["uploadId"], "stray"} & set(incoming(programs))


# ---- tokens: the last tests, because from here on every call needs one ----


@pytest.mark.door(27)
def test_tokens_upload_for_their_own_user_and_only_if_they_may_write(programs: Programs) -> None:
    anna = programs.make_token("anna", "--user", "anna")
    ben = programs.make_token("ben", "--user", "ben")
    looker = programs.make_token("looker", "--read-only")
    content = jpeg(1)
    wait_until(lambda: begin(programs, content).status == 401, "the tokens")
    check(begin(programs, content, looker), 403, "read_only_token")
    check(begin(programs, content, ben), 403, "user_not_allowed")
    upload_id = begin(programs, content, anna, projectId="mine").body["uploadId"]
    check(send(programs, upload_id, 0, content), 401, "unauthorized")
    check(send(programs, upload_id, 0, content, **looker), 403, "read_only_token")
    check(send(programs, upload_id, 0, content, **ben), 404, "unknown_upload")
    check(programs.get(f"/v1/uploads/{upload_id}", **ben), 404, "unknown_upload")
    check(programs.get("/v1/uploads?userId=anna&projectId=mine", **ben), 403, "user_not_allowed")
    assert send(programs, upload_id, 0, content, **anna).body["state"] == "stored"
    assert programs.get("/v1/uploads?userId=anna&projectId=mine", **looker).body["pictures"] == 1
