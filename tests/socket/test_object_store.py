"""The layer over the client of object storage, against real servers on loopback."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from protocol.project_url import ProjectUrl
from storage.errors import (
    BadNameError,
    ConflictError,
    DeniedError,
    MissingObjectError,
    StorageError,
    UnreachableError,
    explained,
)
from storage.object_store import PART_BYTES, StorageNotInstalledError
from tests.free_ports import free_ports
from tests.object_servers import BUCKET, KEY, ObjectServer, moto, rclone

pytestmark = pytest.mark.usefixtures("storage_credentials")


def test_objects_are_written_listed_read_and_deleted(object_server: ObjectServer) -> None:
    store = object_server.store("a/b")
    etag = store.put("cats/ü 1%20?.jpg", b"meow")
    store.put("top.txt", b"1")
    object_server.fill("a/b", {"cats/": b"", "": b""})  # as some programs mark folders
    object_server.fill("a/bc", {"other.jpg": b""})
    listed = {info.name: info for info in store.list()}
    assert listed.keys() == {"cats", "cats/ü 1%20?.jpg", "top.txt"}
    assert listed["cats/ü 1%20?.jpg"].etag == etag
    assert listed["cats/ü 1%20?.jpg"].size_bytes == 4
    assert [info.name for info in store.list_folder()[1]] == ["top.txt"]
    assert store.list_folder()[0] == ["cats"]
    assert [info.name for info in store.list_folder("cats")[1]] == ["cats/ü 1%20?.jpg"]
    assert store.get("cats/ü 1%20?.jpg") == b"meow"
    assert store.get("cats/ü 1%20?.jpg", span=(1, 3)) == b"eo"
    store.copy("top.txt", "copied.txt")
    store.delete("top.txt")
    store.delete("top.txt")
    assert store.status("top.txt") is None
    assert store.status("copied.txt") is not None
    assert object_server.read("a/b/copied.txt") == b"1"


def test_only_the_first_of_two_creates(object_server: ObjectServer) -> None:
    store = object_server.store("conditions")
    first = store.put("latest", b"1", if_absent=True)
    with pytest.raises(ConflictError, match=r"s3://photos/conditions/latest was written by somebody else"):
        store.put("latest", b"2", if_absent=True)
    second = store.put("latest", b"3", if_etag=first)
    with pytest.raises(ConflictError):
        store.put("latest", b"4", if_etag=first)
    with pytest.raises(ConflictError):
        b"".join(store.stream("latest", etag=first))
    assert b"".join(store.stream("latest", etag=second)) == b"3"


def test_a_large_file_goes_up_in_parts(object_server: ObjectServer, tmp_path: Path) -> None:
    content = secrets.token_bytes(2 * PART_BYTES + 1)
    (tmp_path / "large").write_bytes(content)
    etag = object_server.store("large").put("model.bin", tmp_path / "large")
    assert etag.endswith('-3"')  # S3 counts the parts there
    assert object_server.store("large").get("model.bin") == content


def test_a_signed_url_reads_without_credentials(object_server: ObjectServer) -> None:
    import urllib.request

    store = object_server.store("signed")
    store.put("report.html", b"<p>")
    with urllib.request.urlopen(store.sign("report.html", 60.0)) as answer:
        assert answer.read() == b"<p>"


@pytest.mark.parametrize("name", ["a//b.jpg", "../b.jpg", "a/./b.jpg", "/b.jpg", "tab\t.jpg"])
def test_a_name_that_no_file_can_have_is_named(object_server: ObjectServer, name: str) -> None:
    prefix = f"hostile-{secrets.token_hex(4)}"
    object_server.fill(prefix, {"good.jpg": b"", name: b""})
    with pytest.raises(BadNameError) as refused:
        list(object_server.store(prefix).list())
    assert repr(f"{prefix}/{name}") in str(refused.value)
    assert "rename or delete it" in str(refused.value)


def test_what_is_missing_is_said(object_server: ObjectServer) -> None:
    with pytest.raises(MissingObjectError, match=r"There is no object s3://photos/none/a\.jpg\."):
        object_server.store("none").get("a.jpg")
    from storage.object_store import open_store

    elsewhere = open_store(ProjectUrl.parse("s3://no-such-bucket/a"), object_server.settings())
    with pytest.raises(MissingObjectError, match="The bucket of s3://no-such-bucket/a does not exist"):
        list(elsewhere.list())


def test_a_file_that_cannot_be_sent_is_not_taken_for_a_missing_object(
    object_server: ObjectServer, tmp_path: Path
) -> None:
    """Else a front-end would tell its caller that a picture of theirs is missing."""
    store, loop = object_server.store("sent"), tmp_path / "loop"
    loop.symlink_to(loop)
    for file, kind in ((tmp_path / "gone", FileNotFoundError), (loop, OSError), (tmp_path, IsADirectoryError)):
        with pytest.raises(
            kind, match=r"The file that was to be sent to s3://photos/sent/a\.jpg can't be read: "
        ) as said:
            store.put("a.jpg", file)
        assert said.value.errno
    with pytest.raises(FileNotFoundError, match="can't be read: No such file"):
        asyncio.run(store.put_async("a.jpg", tmp_path / "gone"))


def test_a_server_that_is_away_is_said_and_tried_again_only_for_a_while() -> None:
    away = ObjectServer(f"http://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(UnreachableError, match="there is no connection to the server"):
        away.store("a", timeout_s=0.2).get("b.jpg")


def refusals(object_server: ObjectServer) -> Iterator[StorageError]:
    """What every kind of call says when the server refuses the credentials."""
    store = object_server.store("secret")
    calls: list[Callable[[], object]] = [
        lambda: list(store.list()),
        lambda: store.list_folder(),
        lambda: store.get("a.jpg"),
        lambda: store.put("a.jpg", b"1"),
        lambda: store.put("a.jpg", b"1", if_absent=True),
        lambda: store.status("a.jpg"),
    ]
    for call in calls:
        with pytest.raises(StorageError) as refused:
            call()
        yield refused.value


@pytest.mark.door(31)
@pytest.mark.parametrize("kind", ["moto", "rclone"])
def test_a_wrong_secret_is_refused_and_shown_nowhere(
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = "not-the-secret-" + secrets.token_hex(8)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", wrong)
    with moto() if kind == "moto" else rclone(tmp_path) as server:
        if kind == "moto":
            server.check_credentials(True)
        try:
            said = list(refusals(server))
        finally:
            if kind == "moto":
                server.check_credentials(False)
    assert all(isinstance(error, DeniedError) for error in said), said
    shown = (
        "".join("".join(traceback.format_exception(error)) for error in said)
        + caplog.text
        + "".join(capfd.readouterr())
    )
    assert f"does not allow access to s3://{BUCKET}/secret" in shown
    assert wrong not in shown
    assert KEY not in shown
    assert "Signature=" not in shown


def test_rclone_takes_the_right_secret(tmp_path: Path) -> None:
    with rclone(tmp_path) as server:
        store = server.store("a")
        store.put("b.jpg", b"1")
        assert [info.name for info in store.list()] == ["b.jpg"]
        assert store.get("b.jpg") == b"1"


def test_missing_credentials_are_said() -> None:
    """As the client says it that finds nothing in the environment, and then asks the machine."""
    text = (
        "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 2s, after 1 retries - HTTP "
        "error: error sending request"
    )
    error = explained(RuntimeError(text), "s3://photos/a")
    assert isinstance(error, DeniedError)
    assert "no credentials to reach s3://photos/a" in str(error)


def test_without_the_package_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(StorageNotInstalledError, match=r"run 'pip install -r requirements-cluster\.txt'"):
        ObjectServer("http://127.0.0.1:1").store("a")
