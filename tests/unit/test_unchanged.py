"""The fingerprint of a folder, and taking a finished model over."""

from __future__ import annotations

import io
import itertools
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from protocol.options import ClassificationOptions
from tests.project_folders import open_project, read_manifest
from tests.sample_tasks import hex_id
from trainer_worker.attempt.job import Job
from trainer_worker.pictures.user_files import MAX_FILE_BYTES, UserFiles
from trainer_worker.project.gate import Gate
from trainer_worker.project.held_out import HeldOutScores
from trainer_worker.project.model_folder import ModelFolder
from trainer_worker.project.unchanged import fingerprint, read_contents, take_over

T1, T2, T3 = hex_id("t1"), hex_id("t2"), hex_id("t3")
OPTIONS = {"epochs": 3, "seed": 1, "priority": 0, "maxSeconds": 0}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for label in ("cat", "dog"):
        (tmp_path / "images" / label).mkdir(parents=True)
        (tmp_path / "images" / label / "1.png").write_bytes(label.encode())
    return tmp_path


def mark(project: Path, **changes: Any) -> str:
    return fingerprint(read_contents(UserFiles.at(project)), "classification", {**OPTIONS, **changes})


def test_a_correction_makes_another_folder_until_it_is_taken_back(project: Path) -> None:
    before = mark(project)
    (project / "corrections.csv").write_text("picture,action,label\nimages/cat/1.png,exclude,\n")
    corrected = mark(project)
    assert corrected == mark(project) != before
    (project / "corrections.csv").write_text("picture,action,label\nimages/cat/1.png,label,dog\n")
    assert mark(project) not in (before, corrected)
    (project / "corrections.csv").unlink()
    assert mark(project) == before


def publish(project: Path, task_id: str, scores: HeldOutScores | None = None, **more: Any) -> Path:
    with open_project(project) as opened, ModelFolder(opened, task_id, 1) as folder:
        folder.add("model.tflite", io.BytesIO(b"a model"))
        folder.add("saved_model/saved_model.pb", io.BytesIO(b"another"))
        if scores is not None:
            folder.add("held_out.json", io.BytesIO(scores.encoded()))
            more["train_type"] = "classification"
        return folder.publish({"metrics": {"accuracy": 0.9}, "model_file": "model.tflite", **more})


def taken_over(project: Path, mark: str, task_id: str = T2) -> Path | None:
    """The folder of the copy."""
    with open_project(project) as opened:
        found = take_over(Gate(opened, "classification"), mark, task_id, 3) is not None
    return project / "models" / task_id if found else None


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
    publish(project, T1)
    (project / ".tfmodel").mkdir()
    (project / ".tfmodel" / "x").write_bytes(b"x")
    assert mark(project, priority=5, maxSeconds=60, promote="always") == before
    assert mark(project, seed=2) != before
    assert fingerprint(read_contents(UserFiles.at(project)), "segmentation", OPTIONS) != before


def test_other_weights_give_another_model(project: Path) -> None:
    contents = read_contents(UserFiles.at(project))
    marks = {fingerprint(contents, "classification", OPTIONS, weights) for weights in ("", "1" * 64, "2" * 64)}
    assert len(marks) == 3


def test_files_that_no_trainer_reads_are_not_looked_at(project: Path) -> None:
    before = mark(project)
    with (project / "images" / "film.mp4").open("wb") as film:
        film.truncate(8 * 1024**4)
    (project / "images" / "cat" / "loop").symlink_to("loop")
    (project / "images" / "cat" / "loop").unlink()
    assert mark(project) == before
    os.mkfifo(project / "images" / "cat" / "pipe")  # which the report on the folder names
    assert mark(project) not in ("", before)


def test_a_folder_with_a_file_that_is_too_large_is_never_taken_for_unchanged(project: Path) -> None:
    with (project / "images" / "cat" / "large.png").open("wb") as large:
        large.truncate(MAX_FILE_BYTES + 1)
    assert mark(project) == ""


def test_a_link_that_leads_round_in_a_circle_is_part_of_the_fingerprint(project: Path) -> None:
    before = mark(project)
    (project / "images" / "cat" / "loop").symlink_to("loop")
    assert mark(project) not in ("", before)


def test_hashing_obeys_within_a_second(project: Path) -> None:
    for number in range(60):
        with (project / "images" / "cat" / f"sparse{number}.png").open("wb") as sparse:
            sparse.truncate(MAX_FILE_BYTES // 4)
    asked: list[float] = []

    class EnoughError(Exception):
        pass

    def on_step(fraction: float) -> None:
        asked.append(time.monotonic())
        if fraction > 0.3:
            raise EnoughError

    with pytest.raises(EnoughError):
        read_contents(UserFiles.at(project), on_step)
    # Of most gaps: on a busy machine one may be longer.
    assert statistics.median(after - before for before, after in itertools.pairwise(asked)) < 1.0


def test_a_model_of_the_same_folder_is_taken_over_whole(project: Path) -> None:
    publish(project, T1, fingerprint=mark(project))
    copy = taken_over(project, mark(project))
    assert copy is not None
    manifest = read_manifest(copy)
    assert manifest is not None
    assert (manifest["task_id"], manifest["attempt"], manifest["taken_over_from"]) == (T2, 3, T1)
    assert manifest["metrics"] == {"accuracy": 0.9}
    assert [file["path"] for file in manifest["files"]] == ["model.tflite", "saved_model/saved_model.pb"]
    assert (copy / "model.tflite").read_bytes() == b"a model"
    assert (project / "models" / "latest").readlink() == Path(T2)


@pytest.mark.parametrize("always", [False, True])
def test_a_copy_of_a_model_comes_into_use_like_a_new_one(project: Path, always: bool) -> None:
    """Another one may have been promoted since it was made."""
    scores = {
        name: HeldOutScores.of("accuracy", [f"{n:064x}" for n in range(9)], ["cat"] * 9, [good] * 9)
        for name, good in (("worse", 0.0), ("better", 1.0))
    }
    publish(project, T1, scores["worse"], fingerprint=mark(project))
    publish(project, T3, scores["better"])
    with open_project(project) as opened:
        options = ClassificationOptions(promote="always" if always else "unless_worse")
        copy = take_over(Job(T2, 1, opened, "classification", options).gate, mark(project), T2, 1)
    assert copy is not None
    assert copy.comparison is not None
    assert (copy.comparison.with_task, copy.promoted, copy.comparison.promoted) == (T3, always, always)
    assert (project / "models" / "latest").readlink() == Path(T2 if always else T3)
    manifest = read_manifest(project / "models" / T2)
    assert manifest is not None
    assert manifest["promoted"] is always
    assert manifest["comparison"]["sentence"] == copy.comparison.sentence


def test_a_damaged_an_unfinished_and_another_model_are_not(project: Path) -> None:
    folder = publish(project, hex_id("damaged"), fingerprint=mark(project))
    (folder / "model.tflite").write_bytes(b"b model")
    publish(project, hex_id("stopped"), fingerprint=mark(project), end_reason="stopped")
    publish(project, hex_id("interim"), fingerprint=mark(project), interim=True)
    publish(project, hex_id("other"), fingerprint="0" * 64)
    publish(project, hex_id("old"))
    before = {path.name for path in (project / "models").iterdir()}
    assert taken_over(project, mark(project)) is None
    assert taken_over(project, "") is None
    assert {path.name for path in (project / "models").iterdir()} == before


def test_a_file_behind_a_link_counts_wherever_it_lies(project: Path) -> None:
    (project / ".hidden").mkdir()
    (project / ".hidden" / "a.png").write_bytes(b"before")
    (project / "link.png").symlink_to(".hidden/a.png")
    before = mark(project)
    (project / ".hidden" / "a.png").write_bytes(b"after")
    assert mark(project) != before
