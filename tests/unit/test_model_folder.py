"""The model folder is complete or absent, whatever happens on the way, and the first attempt that is done wins."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.directory import Directory
from protocol.errors import TrainingError
from tests.project_folders import open_project, read_manifest
from tests.sample_tasks import hex_id
from trainer_worker.attempt.work_folder import work_folder
from trainer_worker.project.json_text import json_text
from trainer_worker.project.model_folder import ModelFolder
from trainer_worker.project.models import AlreadyPublishedError, finished_model

T0, T1, T2 = hex_id("t0"), hex_id("t1"), hex_id("t2")


def publish(project: Path, task_id: str = T1, attempt: int = 1, text: str = "weights") -> Path:
    with open_project(project) as opened, ModelFolder(opened, task_id, attempt) as folder, work_folder(None) as work:
        (work / "model.tflite").write_text(text)
        (work / "saved_model").mkdir()
        (work / "saved_model" / "saved_model.pb").write_text("graph")
        folder.add_all(work)
        return folder.publish({"accuracy": np.float32(0.5), "attempt": attempt, "model_file": "model.tflite"})


def names(project: Path) -> set[str]:
    return {path.name for path in (project / "models").iterdir()}


def test_publishing_makes_a_complete_folder(tmp_path: Path) -> None:
    final = publish(tmp_path)
    assert final == tmp_path / "models" / T1
    manifest = read_manifest(final)
    assert manifest is not None
    assert manifest["accuracy"] == 0.5
    assert [file["path"] for file in manifest["files"]] == ["model.tflite", "saved_model/saved_model.pb"]
    for file in manifest["files"]:
        content = (final / file["path"]).read_bytes()
        assert file["size_bytes"] == len(content)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert names(tmp_path) == {T1, "latest"}


def test_latest_is_a_relative_link_to_the_newest(tmp_path: Path) -> None:
    publish(tmp_path, T1)
    publish(tmp_path, T2)
    assert os.fspath((tmp_path / "models" / "latest").readlink()) == T2
    moved = tmp_path.rename(tmp_path.with_name("moved_project"))
    manifest = read_manifest(moved / "models" / "latest")
    assert manifest is not None
    assert manifest == read_manifest(moved / "models" / T2)


def test_leaving_without_publishing_leaves_nothing(tmp_path: Path) -> None:
    project = open_project(tmp_path)
    with ModelFolder(project, T1, 1) as folder:
        folder.add("model.tflite", io.BytesIO(b"half"))
    assert names(tmp_path) == set()
    with pytest.raises(KeyError), ModelFolder(project, T1, 1):
        os.environ["NO SUCH KEY"]
    assert names(tmp_path) == set()


def test_a_leftover_of_the_same_attempt_is_removed(tmp_path: Path) -> None:
    leftover = tmp_path / "models" / f".{T1}.1.partial"
    leftover.mkdir(parents=True)
    (leftover / "old").write_text("x")
    with ModelFolder(open_project(tmp_path), T1, 1):
        assert list(leftover.iterdir()) == []


def test_success_removes_stale_partial_folders_of_this_task_only(tmp_path: Path) -> None:
    others = {f".{T2}.1.partial", f".{T1}x.1.partial", ".mine.partial"}
    for name in (f".{T1}.1.partial", f".{T1}.2.replaced.partial", *others):
        (tmp_path / "models" / name).mkdir(parents=True)
    publish(tmp_path, T1, 3)
    assert names(tmp_path) == {T1, "latest", *others}


@pytest.mark.parametrize("name", ["notes.txt", "manifest.json", "saved_model/evil.pb", "labels.txt/x", "../x"])
def test_only_files_that_a_manifest_may_list_are_taken(tmp_path: Path, name: str) -> None:
    with ModelFolder(open_project(tmp_path), T1, 1) as folder, pytest.raises(ValueError, match="not the name of a"):
        folder.add(name, io.BytesIO(b"x"))


@pytest.mark.parametrize(("winner", "zombie"), [(2, 1), (1, 2), (1, 1)])
def test_the_attempt_that_published_first_is_kept(tmp_path: Path, winner: int, zombie: int) -> None:
    publish(tmp_path, T1, winner, "the winner's")
    with pytest.raises(AlreadyPublishedError) as caught:
        publish(tmp_path, T1, zombie, "the zombie's")
    assert caught.value.manifest == finished_model(open_project(tmp_path), T1)
    assert (tmp_path / "models" / T1 / "model.tflite").read_text() == "the winner's"
    assert names(tmp_path) == {T1, "latest"}


@pytest.mark.parametrize("even_later", [False, True])
def test_of_two_attempts_that_publish_at_the_same_time_one_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, even_later: bool
) -> None:
    """The other attempt publishes after this one found nobody before it."""
    replace = Directory.replace

    def race(folder: Directory, name: str, parts: Any, synced: bool) -> None:
        replace(folder, name, parts, synced)
        if name == "manifest.json":
            monkeypatch.setattr(Directory, "replace", replace)
            publish(tmp_path, T1, 2, "the other's")
            (tmp_path / "models" / f".{T1}.1.partial").mkdir(exist_ok=True)
            if even_later:  # as if it had come after the last look
                monkeypatch.setattr(ModelFolder, "_is_occupied", lambda self: False)

    monkeypatch.setattr(Directory, "replace", race)
    with pytest.raises(AlreadyPublishedError):
        publish(tmp_path, T1, 1)
    manifest = read_manifest(tmp_path / "models" / T1)
    assert manifest is not None
    assert manifest["attempt"] == 2
    monkeypatch.undo()
    assert names(tmp_path) == {T1, "latest"}


def test_a_final_folder_without_manifest_is_replaced(tmp_path: Path) -> None:
    unfinished = tmp_path / "models" / T1
    unfinished.mkdir(parents=True)
    (unfinished / "half").write_text("x")
    final = publish(tmp_path)
    assert not (final / "half").exists()
    assert read_manifest(final) is not None
    assert names(tmp_path) == {T1, "latest"}


def test_a_crash_before_the_link_was_switched_is_mended(tmp_path: Path) -> None:
    publish(tmp_path, T0)
    publish(tmp_path, T1)
    os.utime(tmp_path / "models" / T0 / "manifest.json", (1, 1))
    (tmp_path / "models" / "latest").unlink()
    (tmp_path / "models" / "latest").symlink_to(T0)
    with pytest.raises(AlreadyPublishedError):
        publish(tmp_path, T1, 2)
    assert os.fspath((tmp_path / "models" / "latest").readlink()) == T1
    with pytest.raises(AlreadyPublishedError):
        publish(tmp_path, T0, 2)  # older: the link stays
    assert os.fspath((tmp_path / "models" / "latest").readlink()) == T1


def test_a_folder_in_the_way_of_the_link_does_not_lose_the_model(tmp_path: Path) -> None:
    (tmp_path / "models" / "latest").mkdir(parents=True)
    assert read_manifest(publish(tmp_path)) is not None
    assert names(tmp_path) == {T1, "latest"}


def test_the_manifest_is_last_and_everything_is_synced_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, os.rename

    def told_fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        events.append(f"sync {'manifest.json' if path.suffix == '.tmp' else path.name}")
        fsync(descriptor)

    def told_rename(old: str, new: str, **folders: int) -> None:
        events.append(f"rename to {new}")
        rename(old, new, **folders)

    monkeypatch.setattr(os, "fsync", told_fsync)
    monkeypatch.setattr(os, "rename", told_rename)
    publish(tmp_path)
    at = events.index(f"rename to {T1}")
    synced = {"sync manifest.json", "sync model.tflite", "sync saved_model", "sync saved_model.pb"}
    made = {f"sync {tmp_path.name}", "sync models", f"sync .{T1}.1.partial"}
    assert synced | made | {"rename to manifest.json"} == set(events[:at])
    assert events[at - 3 : at] == ["sync manifest.json", "rename to manifest.json", f"sync .{T1}.1.partial"]
    assert events[at + 1 :] == ["sync models", "rename to latest", "sync models"]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EDQUOT, "disk_full"),
        (errno.EACCES, "project_dir_not_writable"),
        (errno.EROFS, "project_dir_not_writable"),
    ],
)
def test_errors_of_the_disk_are_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(TrainingError, match=str(tmp_path)) as entering, ModelFolder(open_project(tmp_path), T1, 1):
        pass
    monkeypatch.undo()
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(TrainingError, match=str(tmp_path)) as publishing:
        publish(tmp_path)
    assert [caught.value.code for caught in (entering, publishing)] == [code] * 2
    assert names(tmp_path) == set()


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), RuntimeError("UNKNOWN: write failed; No space left on device")]
)
def test_a_full_disk_of_the_worker_is_said_by_name_also_in_the_words_of_a_library(
    tmp_path: Path, error: Exception
) -> None:
    with pytest.raises(TrainingError, match=str(tmp_path / "work")) as caught, work_folder(tmp_path / "work"):
        raise error
    assert caught.value.code == "disk_full"
    assert list((tmp_path / "work").iterdir()) == []


def test_a_project_without_folder_and_models_that_is_a_file(tmp_path: Path) -> None:
    project = open_project(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(TrainingError) as caught, ModelFolder(project, T1, 1):
        pass
    assert caught.value.code == "project_dir_missing"
    assert not (tmp_path / "gone").exists()
    (tmp_path / "models").write_text("a file")
    with pytest.raises(TrainingError, match="not a folder") as caught, ModelFolder(open_project(tmp_path), T1, 1):
        pass
    assert caught.value.code == "project_dir_not_writable"


@pytest.mark.parametrize("task_id", ["", "../x", ".hidden", "a/b", "latest", T1.upper(), T1 + "\n", T1[:-1]])
def test_task_ids_that_would_leave_the_folder_are_refused(tmp_path: Path, task_id: str) -> None:
    with pytest.raises(ValueError, match="task id"):
        ModelFolder(open_project(tmp_path), task_id, 1)


def test_json_text_is_plain_json() -> None:
    obj = {
        "scalar": np.float32(0.25),
        "integer": np.int64(3),
        "flag": np.bool_(True),
        "nan": float("nan"),
        "infinite": np.float64("inf"),
        "array": np.array([[1.5, np.nan]]),
        "tuple": (1, "ü"),
        np.int64(7): None,
        "path": Path("a") / "b",
    }
    text = json_text(obj)
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text) == {
        "scalar": 0.25,
        "integer": 3,
        "flag": True,
        "nan": None,
        "infinite": None,
        "array": [[1.5, None]],
        "tuple": [1, "ü"],
        "7": None,
        "path": "a/b",
    }
