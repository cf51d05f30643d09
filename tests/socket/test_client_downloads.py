"""The Python client's downloads: resumed after a cut, checked against their hashes, and never half in place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.socket.both_clients import Make
from tests.socket.client_answers import TASK_ID, artifacts, sha256
from tests.socket.scripted_http import Answer, ScriptedHttp, Seen, answer, json_answer
from tfmodel_client import Client, errors

pytestmark = pytest.mark.usefixtures("short_pauses")

CUT = b""
MODEL = bytes(range(256)) * 400
LISTED = json_answer(artifacts(model__tflite=MODEL))


def serving(data: bytes, cut_after: int | None = None, ranges: bool = True) -> Answer:
    """Serves a file as the server does. cut_after: bytes after which the connection breaks."""

    def served(seen: Seen) -> bytes:
        start = 0
        if ranges and "range" in seen.headers and seen.headers.get("if-range") == f'"{sha256(data)}"':
            start = int(seen.headers["range"].removeprefix("bytes=").removesuffix("-"))
        headers = {"ETag": f'"{sha256(data)}"', "Content_Type": "application/octet-stream"}
        if start:
            headers["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        sent = data[start:][:cut_after]
        return answer(206 if start else 200, sent, length=len(data) - start, **headers)

    return served


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_download_goes_on_where_it_was_cut(make: Make, tmp_path: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    connections = [LISTED, serving(MODEL, 1000), CUT, serving(MODEL, 50_000), serving(MODEL)]
    with ScriptedHttp(*connections) as server, make(server.address) as client:
        paths = client.download(TASK_ID, tmp_path / "new", on_bytes=lambda *said: heard.append(said))
    assert paths == [tmp_path / "new" / "model.tflite"]
    assert files_in(tmp_path) == {"new/model.tflite": MODEL}
    assert [seen.headers.get("range") for seen in server.seen[1:]] == [
        None,
        "bytes=1000-",
        "bytes=1000-",
        "bytes=51000-",
    ]
    assert {seen.path for seen in server.seen[1:]} == {f"/v1/tasks/{TASK_ID}/artifacts/model.tflite"}
    so_far = [said[1] for said in heard]
    assert so_far == sorted(so_far)
    assert heard[-1] == ("model.tflite", len(MODEL), len(MODEL))


def test_a_later_download_goes_on_where_an_earlier_one_was_given_up(make: Make, tmp_path: Path) -> None:
    with (
        ScriptedHttp(LISTED, serving(MODEL, 1000), *[CUT] * 9) as server,
        make(server.address) as client,
        pytest.raises(errors.UnreachableError, match=r"1,000 of 102,400 bytes of model\.tflite came"),
    ):
        client.download(TASK_ID, tmp_path)
    assert "model.tflite" not in files_in(tmp_path)
    with ScriptedHttp(LISTED, serving(MODEL)) as server, make(server.address) as client:
        client.download(TASK_ID, tmp_path)
    assert server.seen[1].headers["range"] == "bytes=1000-"
    assert files_in(tmp_path) == {"model.tflite": MODEL}


def test_a_file_that_is_there_is_not_loaded_again_and_another_one_is_replaced(make: Make, tmp_path: Path) -> None:
    with ScriptedHttp(LISTED, serving(MODEL), LISTED, LISTED, serving(MODEL)) as server, make(server.address) as client:
        client.download(TASK_ID, tmp_path)
        client.download(TASK_ID, tmp_path)
        assert len(server.seen) == 3
        (tmp_path / "model.tflite").write_bytes(b"an older model")
        client.download(TASK_ID, tmp_path)
    assert files_in(tmp_path) == {"model.tflite": MODEL}


def test_a_server_that_can_t_go_on_is_read_from_the_start(make: Make, tmp_path: Path) -> None:
    with (
        ScriptedHttp(LISTED, serving(MODEL, 1000), serving(MODEL, ranges=False)) as server,
        make(server.address) as client,
    ):
        client.download(TASK_ID, tmp_path)
    assert files_in(tmp_path) == {"model.tflite": MODEL}


def test_a_better_model_that_comes_meanwhile_is_taken(make: Make, tmp_path: Path) -> None:
    better = MODEL[::-1]
    again = json_answer(artifacts(model__tflite=better))
    connections = [LISTED, serving(MODEL, 1000), serving(better), again, serving(better)]
    with ScriptedHttp(*connections) as server, make(server.address) as client:
        client.download(TASK_ID, tmp_path)
    assert files_in(tmp_path)["model.tflite"] == better


def test_bytes_with_another_hash_are_never_put_in_place(make: Make, tmp_path: Path) -> None:
    damaged = answer(200, b"\0" * len(MODEL))
    with (
        ScriptedHttp(*[LISTED, damaged] * 3) as server,
        make(server.address) as client,
        pytest.raises(errors.DownloadError, match="SHA-256"),
    ):
        client.download(TASK_ID, tmp_path)
    assert files_in(tmp_path) == {}


def test_a_file_that_does_not_end_is_cut_off(make: Make, tmp_path: Path) -> None:
    endless = answer(200, MODEL + b"\0")
    with (
        ScriptedHttp(*[LISTED, endless] * 3) as server,
        make(server.address) as client,
        pytest.raises(errors.DownloadError, match="more bytes"),
    ):
        client.download(TASK_ID, tmp_path)
    assert "model.tflite" not in files_in(tmp_path)


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "", "a\\..\\evil", "C:evil", "a/./b/.."])
def test_a_name_that_leads_out_of_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    listed = artifacts(model__tflite=MODEL)
    listed["artifacts"][0]["name"] = name
    with (
        ScriptedHttp(json_answer(listed), serving(MODEL)) as server,
        Client(server.address) as client,
        pytest.raises(errors.DownloadError, match="nothing is written"),
    ):
        client.download(TASK_ID, tmp_path / "inside")
    assert files_in(tmp_path) == {}


def test_files_are_chosen_by_name_and_folders_are_made(make: Make, tmp_path: Path) -> None:
    files = json_answer(
        artifacts(**{"model__tflite": MODEL, "saved_model/variables/index": b"", "labels__txt": b"a\n"})
    )
    with ScriptedHttp(files, serving(b"a\n"), files) as server, make(server.address) as client:
        client.download(TASK_ID, tmp_path, names=["labels.txt", "saved_model/variables/index"])
        assert files_in(tmp_path) == {"labels.txt": b"a\n", "saved_model/variables/index": b""}
        with pytest.raises(errors.NotFoundError, match=r"no model\.onnx; its files are: model\.tflite, saved_model"):
            client.download(TASK_ID, tmp_path, names=["model.onnx"])


def test_a_full_disk_is_told_as_such(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        ScriptedHttp(LISTED, serving(MODEL)) as server,
        make(server.address) as client,
        pytest.raises(OSError, match="file"),
    ):
        client.download(TASK_ID, tmp_path / "file" / "folder")
