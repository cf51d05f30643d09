"""What leaves a project folder, and what must stay."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest

from tests.project_folders import open_project
from tests.sample_tasks import hex_id, make_spec
from trainer_worker.project import retention
from trainer_worker.project.model_folder import ModelFolder
from trainer_worker.project.retention import STALE_AFTER_S, checkpoints_of

A, B, C, D = (hex_id(name) for name in "abcd")


def publish(
    project: Path, task_id: str, age_s: float, promoted: bool = True, train_type: str = "classification"
) -> Path:
    with open_project(project) as opened, ModelFolder(opened, task_id, 1) as model:
        model.add("model.tflite", io.BytesIO(b"weights"))
        folder = model.publish({"model_file": "model.tflite", "train_type": train_type, "promoted": promoted})
    os.utime(folder / "manifest.json", (time.time() - age_s,) * 2)
    return folder


def task_folder(project: Path, task_id: str) -> Path:
    """The folder of a task in .tfmodel, with a log and a checkpoint."""
    folder = project / ".tfmodel" / "tasks" / task_id
    (folder / "checkpoints" / "fold1").mkdir(parents=True)
    (folder / "checkpoints" / "fit.checkpoint").touch()
    (folder / "log.txt").write_text("begins")
    return folder


def make_old(*paths: Path) -> None:
    """Let the last change of the paths, and of all in them, be longer ago than STALE_AFTER_S."""
    long_ago_s = time.time() - STALE_AFTER_S - 60
    for path in paths:
        for each in (*path.rglob("*"), path):
            os.utime(each, (long_ago_s, long_ago_s))


def discard_task(project: Path, task_id: str) -> None:
    retention.discard_task(make_spec(task_id, project_path=str(project)), [project.parent])


def tidy_project(project: Path, keep_models: int) -> None:
    with open_project(project) as opened:
        retention.tidy_project(opened, keep_models)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_cancelled_task_leaves_its_log_alone_and_latest_falls_back(tmp_path: Path) -> None:
    publish(tmp_path, A, 100)
    publish(tmp_path, B, 10)
    (tmp_path / "models" / f".{B}.2.partial").mkdir()
    kept = task_folder(tmp_path, B)
    discard_task(tmp_path, B)
    assert names(tmp_path / "models") == {A, "latest"}
    assert (tmp_path / "models" / "latest").readlink() == Path(A)
    assert names(kept) == {"log.txt"}


def test_discarding_what_is_not_there_harms_nothing(tmp_path: Path) -> None:
    publish(tmp_path, A, 1)
    discard_task(tmp_path, B)
    discard_task(tmp_path / "no-such-project", B)
    discard_task(tmp_path, "../x")
    assert names(tmp_path / "models") == {A, "latest"}


def test_checkpoints_are_of_tasks_only(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="task id"):
        checkpoints_of(open_project(tmp_path), "../../victim")


def test_only_the_newest_models_are_kept_when_asked(tmp_path: Path) -> None:
    for age_s, task_id in enumerate([D, C, B, A]):
        publish(tmp_path, task_id, 100 - age_s)
    of_the_user = {"my best one", ".notes.partial"}
    for name in of_the_user:
        (tmp_path / "models" / name).mkdir()
    tidy_project(tmp_path, keep_models=0)
    assert {A, B, C, D} <= names(tmp_path / "models")
    tidy_project(tmp_path, keep_models=2)
    assert names(tmp_path / "models") == {A, B, "latest", *of_the_user}


def test_models_in_use_stay_however_old_they_are(tmp_path: Path) -> None:
    """The one that latest names, and the newest promoted one of each trainType: the next is compared with it."""
    publish(tmp_path, A, 100, train_type="segmentation")
    publish(tmp_path, B, 90)
    for age_s, task_id in ((50, C), (10, D)):
        publish(tmp_path, task_id, age_s, promoted=False)
    tidy_project(tmp_path, keep_models=1)
    assert names(tmp_path / "models") == {A, B, D, "latest"}
    (tmp_path / "models" / "latest").unlink()
    (tmp_path / "models" / "latest").symlink_to(D)
    publish(tmp_path, C, 5, promoted=False)
    tidy_project(tmp_path, keep_models=1)
    assert names(tmp_path / "models") == {A, B, C, D, "latest"}


def test_latest_falls_back_to_a_model_that_was_promoted(tmp_path: Path) -> None:
    publish(tmp_path, A, 100)
    publish(tmp_path, B, 50, promoted=False)
    publish(tmp_path, C, 10)
    discard_task(tmp_path, C)
    assert (tmp_path / "models" / "latest").readlink() == Path(A)
    discard_task(tmp_path, A)
    assert names(tmp_path / "models") == {B}


def test_stale_left_overs_go_and_fresh_ones_stay(tmp_path: Path) -> None:
    stale, fresh, other = f".{A}.1.partial", f".{B}.1.partial", ".x.1.partial"
    for name in (stale, fresh, other):
        (tmp_path / "models" / name).mkdir(parents=True)
    make_old(task_folder(tmp_path, C), *(tmp_path / "models" / name for name in (stale, other)))
    tidy_project(tmp_path, keep_models=0)
    assert names(tmp_path / "models") == {fresh, other}
    assert names(tmp_path / ".tfmodel" / "tasks") == set()


def test_a_log_lasts_as_long_as_its_model_and_checkpoints_do_not(tmp_path: Path) -> None:
    for age_s, task_id in enumerate([C, B, A]):
        publish(tmp_path, task_id, 100 - age_s)
        make_old(task_folder(tmp_path, task_id))
    tidy_project(tmp_path, keep_models=2)
    tasks = tmp_path / ".tfmodel" / "tasks"
    assert names(tasks) == {A, B}, "the log of a model that was removed stays, or that of another has gone"
    assert names(tasks / A) == {"log.txt"}


def test_the_folder_of_a_task_that_is_being_trained_is_not_stale(tmp_path: Path) -> None:
    """A training of weeks adds to its log and replaces its checkpoints. Neither changes the folder above them."""
    publish(tmp_path, A, 1)
    logs, saves = task_folder(tmp_path, B), task_folder(tmp_path, C)
    make_old(logs, saves)
    with (logs / "log.txt").open("a") as log:
        log.write("more")
    (saves / "checkpoints" / "decoder.checkpoint").touch()
    tidy_project(tmp_path, keep_models=0)
    assert (logs / "log.txt").exists()
    assert (saves / "checkpoints" / "decoder.checkpoint").exists()
