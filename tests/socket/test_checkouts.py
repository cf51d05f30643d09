"""Projects in object storage become folders on the worker's disk: only what has changed moves, and nothing escapes."""

from __future__ import annotations

import itertools
import json
import secrets
import threading
import time
from pathlib import Path

import pytest

from protocol.errors import TrainingError
from protocol.project_layout import CHECKPOINTS, TASKS
from tests.fault_proxy import Fault, FaultProxy
from tests.object_projects import ObjectWorker, Watching, content_of, publish
from tests.object_servers import BUCKET, ObjectServer
from tests.sample_tasks import hex_id, make_spec
from tests.waiting import TIMEOUT_S
from trainer_worker.layouts.tree import walk
from trainer_worker.project.latest import latest_task
from trainer_worker.project.models import finished_model, finished_models

pytestmark = pytest.mark.usefixtures("storage_credentials")


PHOTOS = {f"cats/{number}.jpg": secrets.token_bytes(1000 + number) for number in range(30)}


@pytest.fixture
def prefix() -> str:
    """Of a project that no other test uses."""
    return f"users/{secrets.token_hex(6)}"


@pytest.fixture
def worker(object_server: ObjectServer, tmp_path: Path) -> ObjectWorker:
    return ObjectWorker(object_server, tmp_path / "cache")


def test_a_project_becomes_a_folder(object_server: ObjectServer, worker: ObjectWorker, prefix: str) -> None:
    object_server.fill(prefix, {**PHOTOS, "corrections.csv": b"file,label\n", "cats/": b"", "dogs/": b""})
    watching = Watching()
    with worker.project(prefix, watcher=watching) as project:
        assert content_of(project.path) == {**PHOTOS, "corrections.csv": b"file,label\n"}
        assert set(walk(project.files).folders) == {"cats", "dogs"}
        assert project.origin.shown("a") == f"s3://{BUCKET}/{prefix}/a"
        assert not project.findings
    assert watching.files == 31
    assert watching.size_bytes == watching.steps[-1] == sum(map(len, PHOTOS.values())) + 11
    assert watching.steps == sorted(watching.steps)


def test_only_what_has_changed_moves(object_server: ObjectServer, worker: ObjectWorker, prefix: str) -> None:
    object_server.fill(prefix, PHOTOS)
    assert worker.moved(prefix)[0] == len(PHOTOS)
    assert worker.moved(prefix) == (0, 0)
    store = object_server.store(prefix)
    store.delete("cats/0.jpg")
    store.put("cats/1.jpg", b"another one")
    store.put("cats/2.jpg/now a folder.jpg", b"new")
    store.delete("cats/2.jpg")
    assert worker.moved(prefix) == (2, 14)
    with worker.project(prefix) as project:
        changed = {"cats/1.jpg": b"another one", "cats/2.jpg/now a folder.jpg": b"new"}
        rest = {name: content for name, content in PHOTOS.items() if name not in ("cats/0.jpg", "cats/2.jpg")}
        assert content_of(project.path) == {**rest, **changed}


def test_a_file_that_was_changed_on_the_disk_is_read_again(
    object_server: ObjectServer, worker: ObjectWorker, prefix: str
) -> None:
    object_server.fill(prefix, PHOTOS)
    with worker.project(prefix) as project:
        (project.path / "cats" / "3.jpg").write_bytes(b"somebody was here")
        (project.path / "cats" / "4.jpg").unlink()
        (project.path / "dogs").mkdir()
        (project.path / "dogs" / "stray.jpg").write_bytes(b"")
    assert worker.moved(prefix)[0] == 2
    with worker.project(prefix) as project:
        assert content_of(project.path) == PHOTOS
        assert not (project.path / "dogs").exists()


def test_files_that_no_training_reads_are_not_moved(
    object_server: ObjectServer, worker: ObjectWorker, prefix: str
) -> None:
    object_server.fill(
        prefix, {"a/1.jpg": b"1", "a/film.mp4": bytes(5000), ".git/objects/ab": b"", "@eaDir/x.jpg": b"thumb"}
    )
    watching = Watching()
    with worker.project(prefix, watcher=watching) as project:
        assert (watching.files, watching.size_bytes) == (1, 1)
        assert walk(project.files).files == {"a/1.jpg": 1, "a/film.mp4": 5000}
        assert any(finding.code == "litter" for finding in walk(project.files).findings)


@pytest.mark.door(32)
def test_names_that_a_folder_cannot_hold_are_left_out_and_said(
    object_server: ObjectServer, worker: ObjectWorker, prefix: str
) -> None:
    odd = {"both": b"a file", "both/below.jpg": b"1", f"{'ü' * 128}.jpg": b"long"}
    object_server.fill(
        prefix, {**odd, "A.jpg": b"upper", "a.jpg": b"lower", "%2e%2e/x.jpg": b"dots", "~/y.jpg": b"home"}
    )
    with worker.project(prefix) as project:
        there = content_of(project.path)
        assert there.keys() == {"both/below.jpg", "A.jpg", "a.jpg", "%2e%2e/x.jpg", "~/y.jpg"}
        (finding,) = project.findings
        assert (finding.code, finding.files) == ("objects_left_out", ("both", f"{'ü' * 128}.jpg"))


@pytest.mark.door(32)
@pytest.mark.parametrize("name", ["../../escaped.jpg", "/etc/escaped.jpg", "a/../../escaped.jpg", "a/./escaped.jpg"])
def test_a_name_that_leads_elsewhere_stops_its_own_task_only(
    object_server: ObjectServer, worker: ObjectWorker, prefix: str, tmp_path: Path, name: str
) -> None:
    object_server.fill(prefix, {"a/1.jpg": b"1", name: b"gotcha"})
    with pytest.raises(TrainingError, match="a name that no file can have") as refused, worker.project(prefix):
        pass
    assert refused.value.code == "layout_unsupported"
    assert not list(tmp_path.rglob("*escaped*"))


def test_an_empty_project_and_one_outside_the_roots_are_refused(
    object_server: ObjectServer, worker: ObjectWorker, prefix: str
) -> None:
    with pytest.raises(TrainingError, match=f"There is no object below s3://{BUCKET}/{prefix}") as refused:
        worker.moved(prefix)
    assert refused.value.code == "project_dir_missing"
    for path in ("s3://elsewhere/a", "s3://photos", "s3://photos/a/models/b", "s3://photos/../a"):
        elsewhere = make_spec(hex_id("t1"), project_path=path)
        with pytest.raises(TrainingError), worker.folders.check_out(elsewhere, Watching()):
            pass


def test_a_cancel_ends_it_although_the_storage_hangs_and_the_next_attempt_goes_on(
    object_server: ObjectServer, object_proxy: FaultProxy, tmp_path: Path, prefix: str
) -> None:
    object_server.fill(prefix, PHOTOS)
    behind = ObjectServer(object_proxy.endpoint)
    worker = ObjectWorker(behind, tmp_path / "cache", max_connections=1, timeout_s=TIMEOUT_S)
    hangs, asked = Fault(hangs_until=threading.Event()), itertools.count()

    def cancel(done_bytes: int) -> None:
        if done_bytes > 3000:
            raise KeyError("cancelled")

    object_proxy.plan = lambda method, path: hangs if path.endswith(".jpg") and next(asked) >= 4 else None
    began_s = time.monotonic()
    with pytest.raises(KeyError), worker.project(prefix, watcher=Watching(cancel)):
        pass
    assert time.monotonic() - began_s < TIMEOUT_S / 2, "it waited for the storage"
    assert hangs.hangs_until is not None
    hangs.hangs_until.set()
    object_proxy.plan = lambda method, path: None
    files, _ = worker.moved(prefix)
    assert files < len(PHOTOS)


# ---- models ----


def test_a_model_is_published_whole_and_found_by_other_workers(
    object_server: ObjectServer, worker: ObjectWorker, tmp_path: Path, prefix: str
) -> None:
    object_server.fill(prefix, PHOTOS)
    with worker.project(prefix) as project:
        publish(project, "t1")
    names = object_server.names(f"{prefix}/models/")
    (folder,) = {name.split("/")[-2] for name in names if name.endswith("model.tflite")}
    manifest = json.loads(object_server.read(f"{prefix}/models/{hex_id('t1')}/manifest.json"))
    assert manifest["folder"] == folder
    latest = json.loads(object_server.read(f"{prefix}/models/latest"))
    assert latest["model_path"] == f"s3://{BUCKET}/{prefix}/models/{hex_id('t1')}/{folder}/model.tflite"
    other = ObjectWorker(object_server, tmp_path / "other")
    with other.project(prefix, "t2") as project:
        with project.models() as models:
            assert latest_task(models) == hex_id("t1")
            (found,) = finished_models(models)
        assert found.task_id == hex_id("t1")
        assert not finished_model(project, hex_id("t2"))
        assert finished_model(project, hex_id("t1")) is not None  # its files were brought and hashed
    assert worker.moved(prefix, "t3") == (0, 0)


def test_what_is_kept_of_a_task_is_there_for_its_next_attempt(
    object_server: ObjectServer, worker: ObjectWorker, tmp_path: Path, prefix: str
) -> None:
    object_server.fill(prefix, PHOTOS)
    with worker.project(prefix) as project, project.kept(TASKS, hex_id("t1"), CHECKPOINTS, make=True) as kept:
        kept.replace("epoch.checkpoint", [b"weights"], synced=False)
    other = ObjectWorker(object_server, tmp_path / "other")
    with other.project(prefix) as project:
        with project.kept(TASKS, hex_id("t1"), CHECKPOINTS) as kept:
            assert kept.read("epoch.checkpoint", 100) == b"weights"
        with project.kept(TASKS, hex_id("t1")) as kept:
            kept.remove(CHECKPOINTS)
    assert not object_server.names(f"{prefix}/.tfmodel/")
    with worker.project(prefix) as project:
        assert not (project.path / ".tfmodel" / TASKS / hex_id("t1") / CHECKPOINTS).exists()


# ---- room ----


def test_the_copies_that_were_used_longest_ago_make_room(object_server: ObjectServer, tmp_path: Path) -> None:
    worker = ObjectWorker(object_server, tmp_path / "cache", cache_mb=3)
    prefixes = [f"room/{secrets.token_hex(4)}" for _ in range(3)]
    for prefix in prefixes:
        object_server.fill(prefix, {"a/1.jpg": bytes(1024**2)})
    assert worker.moved(prefixes[0])[0] == 1
    assert worker.moved(prefixes[1])[0] == 1
    assert worker.moved(prefixes[0])[0] == 0
    assert worker.moved(prefixes[2])[0] == 1  # removes the second
    assert worker.moved(prefixes[0])[0] == 0
    assert worker.moved(prefixes[1])[0] == 1


def test_a_copy_in_use_stays_and_a_project_without_room_is_refused(object_server: ObjectServer, tmp_path: Path) -> None:
    worker = ObjectWorker(object_server, tmp_path / "cache", cache_mb=3)
    for prefix in ("held/a", "held/b"):
        object_server.fill(prefix, {"a/1.jpg": bytes(2 * 1024**2)})
    with worker.project("held/a") as project:
        with pytest.raises(TrainingError, match=r"\[storage\] cache_mb allows 3 MB") as refused:
            worker.moved("held/b")
        assert refused.value.code == "disk_full"
        assert (project.path / "a" / "1.jpg").stat().st_size == 2 * 1024**2
    assert worker.moved("held/b")[0] == 1


def test_two_tasks_of_one_project_have_a_copy_each(
    object_server: ObjectServer, worker: ObjectWorker, prefix: str
) -> None:
    object_server.fill(prefix, PHOTOS)
    with worker.project(prefix, "t1") as one, worker.project(prefix, "t2") as two:
        assert one.path != two.path
        assert content_of(one.path) == content_of(two.path) == PHOTOS
    assert (worker.folders.cache_dir / "projects").stat().st_mode & 0o77 == 0
