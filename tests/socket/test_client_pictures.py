"""The Python client's calls about pictures: uploads, corrections, folders and thumbnails, at a real front-end."""

from __future__ import annotations

import functools
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.finished_models import finish_task, lay_classifier
from tests.socket.both_clients import KINDS, Make, either_client
from tests.socket.client_answers import sample
from tests.socket.programs import Programs
from tests.socket.scripted_http import ScriptedHttp, json_answer
from tests.socket.scripted_worker import ScriptedWorker
from tfmodel_client import Client, errors
from tfmodel_client.types import Upload
from web.api.uploads import CHUNK_BYTES


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("pictures")) as running:
        yield running


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest, programs: Programs) -> Iterator[Client]:
    with either_client(request.param, f"http://127.0.0.1:{programs.ports['WEB_PORT']}") as made:
        yield made


@pytest.fixture
def project_id(client: Client) -> str:
    """A project for each kind of client."""
    return type(client).__name__.strip("_")


def jpeg(comment: str, more_bytes: int = 0) -> bytes:
    """A picture of its own. more_bytes: behind its end, where decoders don't look."""
    file = io.BytesIO()
    Image.new("RGB", (640, 480), (200, 30, 90)).save(file, "JPEG", comment=comment)
    return file.getvalue() + bytes(more_bytes)


def test_pictures_are_uploaded_listed_shown_and_corrected(client: Client, project_id: str, tmp_path: Path) -> None:
    large = jpeg("large", 2 * CHUNK_BYTES)
    (tmp_path / "rose.jpg").write_bytes(large)
    stored = client.upload(tmp_path / "rose.jpg", "anna", project_id, "roses")
    assert (stored.state, stored.picture) == ("stored", "roses/rose.jpg")
    assert Path(stored.project_dir, stored.picture).read_bytes() == large
    again = client.upload(large, "anna", project_id, "roses", name="2.jpg")
    assert (again.state, again.duplicate_of) == ("duplicate", "roses/rose.jpg")
    client.upload(jpeg("small"), "anna", project_id, "tulips", name="1.jpg")

    found = client.uploads("anna", project_id)
    assert {each.label: each.pictures for each in found.labels} == {"roses": 1, "tulips": 1}
    assert [each.name for each in client.folder(found.project_dir).folders] == ["roses", "tulips"]
    assert client.folder(found.project_dir, limit=1).next
    small = client.thumbnail(f"{found.project_dir}/roses/rose.jpg", size=64)
    assert max(Image.open(io.BytesIO(small)).size) == 64

    assert client.corrections("anna", found.project_dir).corrections == ()
    corrected = client.correct(
        "anna",
        project_id,
        found.project_dir,
        [
            {"picture": "roses/rose.jpg", "action": "label", "label": "tulips"},
            {"picture": "tulips/1.jpg", "action": "exclude"},
        ],
    )
    assert [(each.picture, each.action, each.label) for each in corrected.corrections] == [
        ("roses/rose.jpg", "label", "tulips"),
        ("tulips/1.jpg", "exclude", ""),
    ]
    assert client.corrections("anna", found.project_dir) == corrected


def test_what_cannot_be_uploaded_is_refused(client: Client, project_id: str) -> None:
    with pytest.raises(errors.BadRequestError) as no_picture:
        client.upload(bytes(5000), "anna", project_id, "roses", name="1.jpg")
    assert no_picture.value.code == "bad_picture"
    with pytest.raises(ValueError, match="Bytes have no name"):
        client.upload(b"", "anna", project_id, "roses")


def test_finished_tasks_are_compared(client: Client, programs: Programs) -> None:
    with ScriptedWorker(programs.endpoints.worker) as worker:
        worker.join()
        ids = [finish_task(programs, worker, functools.partial(lay_classifier, seed=seed)) for seed in (1, 2)]
        worker.leave()
    found = client.compare(*ids)
    (difference,) = found.differences
    assert (found.pictures, difference.task_id, difference.against) == (60, ids[1], ids[0])
    picture = client.task_picture(ids[0], found.disagreements[0].picture, size=64)
    assert max(Image.open(io.BytesIO(picture)).size) <= 64


def test_what_the_operator_sees(client: Client) -> None:
    assert client.tokens().tokens == ()
    assert client.webhooks(limit=5).dead_letters == ()
    with pytest.raises(errors.NotFoundError) as no_destination:
        client.send_test_webhooks("shop")
    assert no_destination.value.code == "unknown_destination"
    with pytest.raises(errors.NotFoundError) as no_letter:
        client.resend(7)
    assert no_letter.value.code == "unknown_dead_letter"


CONTENT = b"a picture"


def view(offset: int, state: str = "open") -> bytes:
    return json_answer(
        sample(Upload, upload_id="a1", state=state, offset=offset, size_bytes=len(CONTENT), chunk_bytes=5)
    )


@pytest.mark.usefixtures("short_pauses")
def test_an_upload_goes_on_after_an_answer_that_was_lost(make: Make) -> None:
    had_arrived = json_answer({"error": "5 bytes have arrived.", "code": "wrong_offset"}, 409)
    with (
        ScriptedHttp(b"", view(0), b"", had_arrived, view(5), view(9, "stored")) as server,
        make(server.address) as client,
    ):
        assert client.upload(CONTENT, "7", "42", "roses", name="1.jpg").state == "stored"
    begun = json.loads(server.seen[1].body)
    assert (begun["sizeBytes"], begun["sha256"]) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    parts = [(seen.method, seen.headers.get("upload-offset"), seen.body) for seen in server.seen[2:]]
    assert parts == [
        ("POST", "0", CONTENT[:5]),
        ("POST", "0", CONTENT[:5]),
        ("GET", None, b""),
        ("POST", "5", CONTENT[5:]),
    ]


@pytest.mark.usefixtures("short_pauses")
def test_an_upload_that_does_not_advance_ends(make: Make) -> None:
    with (
        ScriptedHttp(view(0), view(0)) as server,
        make(server.address) as client,
        pytest.raises(errors.UnreadableAnswerError, match="does not advance"),
    ):
        client.upload(CONTENT, "7", "42", "roses", name="1.jpg")


def test_a_test_of_webhooks_is_not_sent_twice(make: Make) -> None:
    with ScriptedHttp(b"", b"") as server, make(server.address) as client, pytest.raises(errors.UnreachableError):
        client.send_test_webhooks()
    assert len(server.seen) == 1
