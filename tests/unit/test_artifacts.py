"""The model folder is complete or absent, whatever happens on the way, and the first attempt that is done wins."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocol.errors import TrainingError
from trainer_worker import artifacts
from trainer_worker.artifacts import AlreadyPublishedError, ModelFolder, read_manifest, write_json


def publish(project: Path, task_id: str = "t1", attempt: int = 1, text: str = "weights") -> Path:
    with ModelFolder(project, task_id, attempt) as folder:
        (folder.path / "model.tflite").write_text(text)
        (folder.path / "saved_model").mkdir()
        (folder.path / "saved_model" / "saved_model.pb").write_text("graph")
        return folder.publish({"accuracy": np.float32(0.5), "attempt": attempt})


def names(project: Path) -> set[str]:
    return {path.name for path in (project / "models").iterdir()}


def test_publishing_makes_a_complete_folder(tmp_path: Path) -> None:
    final = publish(tmp_path)
    assert final == tmp_path / "models" / "t1"
    manifest = read_manifest(final)
    assert manifest is not None
    assert manifest["accuracy"] == 0.5
    assert [file["path"] for file in manifest["files"]] == ["model.tflite", "saved_model/saved_model.pb"]
    for file in manifest["files"]:
        content = (final / file["path"]).read_bytes()
        assert file["size_bytes"] == len(content)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert names(tmp_path) == {"t1", "latest"}


def test_latest_is_a_relative_link_to_the_newest(tmp_path: Path) -> None:
    publish(tmp_path, "t1")
    publish(tmp_path, "t2")
    assert os.fspath((tmp_path / "models" / "latest").readlink()) == "t2"
    moved = tmp_path.rename(tmp_path.with_name("moved_project"))
    manifest = read_manifest(moved / "models" / "latest")
    assert manifest is not None
    assert manifest == read_manifest(moved / "models" / "t2")


def test_leaving_without_publishing_leaves_nothing(tmp_path: Path) -> None:
    with ModelFolder(tmp_path, "t1", 1) as folder:
        (folder.path / "model.tflite").write_text("half")
    assert names(tmp_path) == set()
    with pytest.raises(KeyError), ModelFolder(tmp_path, "t1", 1) as folder:
        (folder.path / os.environ["NO SUCH KEY"]).touch()
    assert names(tmp_path) == set()


def test_a_leftover_of_the_same_attempt_is_removed(tmp_path: Path) -> None:
    leftover = tmp_path / "models" / ".t1.1.partial"
    leftover.mkdir(parents=True)
    (leftover / "old").write_text("x")
    with ModelFolder(tmp_path, "t1", 1) as folder:
        assert folder.path == leftover
        assert list(folder.path.iterdir()) == []


def test_success_removes_stale_partial_folders_of_this_task_only(tmp_path: Path) -> None:
    for name in (".t1.1.partial", ".t1.2.partial", ".t10.1.partial"):
        (tmp_path / "models" / name).mkdir(parents=True)
    publish(tmp_path, "t1", 3)
    assert names(tmp_path) == {"t1", "latest", ".t10.1.partial"}


@pytest.mark.parametrize(("winner", "zombie"), [(2, 1), (1, 2), (1, 1)])
def test_the_attempt_that_published_first_is_kept(tmp_path: Path, winner: int, zombie: int) -> None:
    publish(tmp_path, "t1", winner, "the winner's")
    with pytest.raises(AlreadyPublishedError) as caught:
        publish(tmp_path, "t1", zombie, "the zombie's")
    assert caught.value.folder == tmp_path / "models" / "t1"
    assert (caught.value.folder / "model.tflite").read_text() == "the winner's"
    assert names(tmp_path) == {"t1", "latest"}


@pytest.mark.parametrize("even_later", [False, True])
def test_of_two_attempts_that_publish_at_the_same_time_one_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, even_later: bool
) -> None:
    """The other attempt publishes after this one found nobody before it."""
    sync_tree = artifacts._sync_tree

    def race(folder: Path) -> None:
        monkeypatch.setattr(artifacts, "_sync_tree", sync_tree)
        sync_tree(folder)
        final = tmp_path / "models" / "t1"
        final.mkdir()
        write_json(final / "manifest.json", {"attempt": 2})
        if even_later:  # as if it had come after the last look
            monkeypatch.setattr(Path, "exists", lambda self, **_: False)

    monkeypatch.setattr(artifacts, "_sync_tree", race)
    with pytest.raises(AlreadyPublishedError):
        publish(tmp_path, "t1", 1)
    assert read_manifest(tmp_path / "models" / "t1") == {"attempt": 2}
    monkeypatch.undo()
    assert names(tmp_path) == {"t1", "latest"}


def test_a_final_folder_without_manifest_is_replaced(tmp_path: Path) -> None:
    rubbish = tmp_path / "models" / "t1"
    rubbish.mkdir(parents=True)
    (rubbish / "half").write_text("x")
    final = publish(tmp_path)
    assert not (final / "half").exists()
    assert read_manifest(final) is not None
    assert names(tmp_path) == {"t1", "latest"}


def test_a_crash_before_the_link_was_switched_is_mended(tmp_path: Path) -> None:
    publish(tmp_path, "t0")
    publish(tmp_path, "t1")
    os.utime(tmp_path / "models" / "t0" / "manifest.json", (1, 1))
    (tmp_path / "models" / "latest").unlink()
    (tmp_path / "models" / "latest").symlink_to("t0")
    with pytest.raises(AlreadyPublishedError):
        publish(tmp_path, "t1", 2)
    assert os.fspath((tmp_path / "models" / "latest").readlink()) == "t1"
    with pytest.raises(AlreadyPublishedError):
        publish(tmp_path, "t0", 2)  # older: the link stays
    assert os.fspath((tmp_path / "models" / "latest").readlink()) == "t1"


def test_a_folder_in_the_way_of_the_link_does_not_lose_the_model(tmp_path: Path) -> None:
    (tmp_path / "models" / "latest").mkdir(parents=True)
    assert read_manifest(publish(tmp_path)) is not None
    assert names(tmp_path) == {"t1", "latest"}


def test_the_manifest_is_last_and_everything_is_synced_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync, rename = artifacts._sync, Path.rename

    def told_sync(path: Path) -> None:
        events.append(f"sync {path.name}")
        sync(path)

    def told_rename(path: Path, target: Path) -> Path:
        events.append(f"rename {path.name}")
        return rename(path, target)

    monkeypatch.setattr(artifacts, "_sync", told_sync)
    monkeypatch.setattr(Path, "rename", told_rename)
    publish(tmp_path)
    at = events.index("rename .t1.1.partial")
    synced = {"sync manifest.json", "sync model.tflite", "sync saved_model", "sync saved_model.pb"}
    assert synced | {"sync .t1.1.partial"} == set(events[:at])
    assert events[at + 1 :] == ["sync models"]


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

    with pytest.raises(TrainingError, match=str(tmp_path)) as in_body, ModelFolder(tmp_path, "t1", 1):
        refuse()
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(TrainingError) as entering, ModelFolder(tmp_path, "t1", 1):
        pass
    monkeypatch.undo()
    monkeypatch.setattr(artifacts, "_sync_tree", refuse)
    with pytest.raises(TrainingError) as publishing:
        publish(tmp_path)
    assert [caught.value.code for caught in (in_body, entering, publishing)] == [code] * 3
    assert names(tmp_path) == set()


def test_a_full_disk_is_seen_in_the_words_of_a_library_too(tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught, ModelFolder(tmp_path, "t1", 1):
        raise RuntimeError("UNKNOWN: write failed; No space left on device")
    assert caught.value.code == "disk_full"


def test_a_project_without_folder_and_models_that_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught, ModelFolder(tmp_path / "gone", "t1", 1):
        pass
    assert caught.value.code == "project_dir_missing"
    assert not (tmp_path / "gone").exists()
    (tmp_path / "models").write_text("a file")
    with pytest.raises(TrainingError, match="not a folder") as caught, ModelFolder(tmp_path, "t1", 1):
        pass
    assert caught.value.code == "project_dir_not_writable"


@pytest.mark.parametrize("task_id", ["", "../x", ".hidden", "a/b", "latest"])
def test_task_ids_that_would_leave_the_folder_are_refused(tmp_path: Path, task_id: str) -> None:
    with pytest.raises(ValueError, match="task id"):
        ModelFolder(tmp_path, task_id, 1)


def test_read_manifest_takes_only_whole_ones(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    for text in ("", '{"accur', "[1]", "\xff"):
        (tmp_path / "manifest.json").write_text(text, "latin-1")
        assert read_manifest(tmp_path) is None
    (tmp_path / "manifest.json").write_text("{}")
    assert read_manifest(tmp_path) == {}


def test_write_json_gives_plain_json(tmp_path: Path) -> None:
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
    write_json(tmp_path / "a.json", obj)
    text = (tmp_path / "a.json").read_text("utf-8")
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
