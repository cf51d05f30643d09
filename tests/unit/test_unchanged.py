"""The fingerprint of a folder, and taking a finished model over."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainer_worker.artifacts import ModelFolder
from trainer_worker.unchanged import find_twin, fingerprint, take_over

OPTIONS = {"epochs": 3, "seed": 1, "priority": 0, "maxSeconds": 0}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for label in ("cat", "dog"):
        (tmp_path / "images" / label).mkdir(parents=True)
        (tmp_path / "images" / label / "1.png").write_bytes(label.encode())
    return tmp_path


def mark(project: Path, **changes: Any) -> str:
    return fingerprint(project, "classification", {**OPTIONS, **changes})


def publish(project: Path, task_id: str, **more: Any) -> Path:
    with ModelFolder(project, task_id, 1) as folder:
        (folder.path / "model.tflite").write_bytes(b"a model")
        (folder.path / "saved_model").mkdir()
        (folder.path / "saved_model" / "saved_model.pb").write_bytes(b"another")
        return folder.publish({"task_id": task_id, "metrics": {"accuracy": 0.9}, **more})


def add_picture(project: Path) -> None:
    (project / "images" / "cat" / "2.png").write_bytes(b"new")


def change_picture(project: Path) -> None:
    path = project / "images" / "cat" / "1.png"
    status = path.stat()
    path.write_bytes(b"CAT")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def swap_labels(project: Path) -> None:
    (project / "images" / "cat").rename(project / "images" / "x")
    (project / "images" / "dog").rename(project / "images" / "cat")
    (project / "images" / "x").rename(project / "images" / "dog")


def add_labels_file(project: Path) -> None:
    (project / "labels_info.txt").write_text("name,index\ncat,1\ndog,0\n")


def link_picture(project: Path) -> None:
    (project / "images" / "dog" / "2.png").symlink_to("1.png")


@pytest.mark.parametrize("change", [add_picture, change_picture, swap_labels, add_labels_file, link_picture])
def test_whatever_changes_the_pictures_changes_the_fingerprint(project: Path, change: Callable[[Path], None]) -> None:
    before = mark(project)
    change(project)
    assert mark(project) != before


def test_models_hidden_files_and_the_waiting_order_do_not(project: Path) -> None:
    before = mark(project)
    publish(project, "t1")
    (project / ".tfmodel").mkdir()
    (project / ".tfmodel" / "x").write_bytes(b"x")
    assert mark(project, priority=5, maxSeconds=60) == before
    assert mark(project, seed=2) != before
    assert fingerprint(project, "segmentation", OPTIONS) != before


def test_other_weights_give_another_model(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    weights = tmp_path_factory.mktemp("weights") / "weights.h5"
    marks = {mark(project)}
    for content in (b"one", b"other"):
        weights.write_bytes(content)
        marks.add(fingerprint(project, "classification", OPTIONS, weights))
    assert len(marks) == 3
    weights.unlink()
    assert fingerprint(project, "classification", OPTIONS, weights) == ""


def test_a_model_of_the_same_folder_is_taken_over_whole(project: Path) -> None:
    publish(project, "t1", fingerprint=mark(project))
    twin = find_twin(project, mark(project))
    assert twin == project / "models" / "t1"
    assert twin is not None
    copy = take_over(twin, project, "t2", 3)
    manifest = json.loads((copy / "manifest.json").read_text())
    assert (manifest["task_id"], manifest["attempt"], manifest["taken_over_from"]) == ("t2", 3, "t1")
    assert manifest["metrics"] == {"accuracy": 0.9}
    assert [file["path"] for file in manifest["files"]] == ["model.tflite", "saved_model/saved_model.pb"]
    assert (copy / "model.tflite").read_bytes() == b"a model"
    assert (project / "models" / "latest").readlink() == Path("t2")


def test_a_damaged_an_unfinished_and_another_model_are_not(project: Path) -> None:
    folder = publish(project, "damaged", fingerprint=mark(project))
    (folder / "model.tflite").write_bytes(b"b model")
    publish(project, "stopped", fingerprint=mark(project), stopped_early=True)
    publish(project, "other", fingerprint="something else")
    publish(project, "old")
    assert find_twin(project, mark(project)) is None
    assert find_twin(project, "") is None
