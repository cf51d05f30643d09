"""What others may write into the folder of the model in use: it can't fail a task or empty a training set."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from protocol.task import Task, TaskState, Trained
from tests.project_folders import write_manifest
from tests.sample_tasks import hex_id
from tests.security.mutations import HUGE_BYTES, ODD_VALUES
from tests.security.project_worker import ProjectWorker, make_project, spec_of
from trainer_worker.pictures.splits import Wanted, stratified_split
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.gate import Gate
from trainer_worker.project.retention import discard_task

FIRST, SECOND = hex_id("first"), hex_id("second")


@pytest.fixture
def worker(tmp_path: Path) -> ProjectWorker:
    (tmp_path / "projects").mkdir()
    return ProjectWorker(tmp_path / "projects", tmp_path / "cache")


@pytest.fixture
def project(worker: ProjectWorker) -> Path:
    """It has a good model, and the next one is worse."""
    folder = make_project(worker.root / "anna" / "x")
    assert worker.run(spec_of(folder, "first")).trained is not None
    worker.is_good = False
    return folder


def train_again(worker: ProjectWorker, project: Path) -> Trained:
    (project / "images" / "red" / "more.png").write_bytes(b"one more, so that nothing is taken over")
    result = worker.run(spec_of(project, "second"))
    assert result.trained is not None, result.failure
    return result.trained


def latest(project: Path) -> str:
    return str((project / "models" / "latest").readlink())


def rewrite(project: Path, content: bytes) -> None:
    """Replace the scores of the first model, and have its manifest list the new file."""
    folder = project / "models" / FIRST
    (folder / "held_out.json").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    for file in manifest["files"]:
        if file["path"] == "held_out.json":
            file |= {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    write_manifest(folder, manifest)


def test_a_worse_model_is_not_promoted_and_the_result_says_so(worker: ProjectWorker, project: Path) -> None:
    trained = train_again(worker, project)
    assert (trained.promoted, latest(project)) == (False, FIRST)
    assert trained.comparison is not None
    done = Task(spec_of(project, "second"), TaskState.DONE, trained=trained)
    assert list(done.warnings) == [trained.comparison.sentence]
    assert (project / "models" / SECOND / "manifest.json").exists()


def test_a_second_attempt_at_a_published_task_says_the_same(worker: ProjectWorker, project: Path) -> None:
    """The first attempt died before it could switch the link and report."""
    trained = train_again(worker, project)
    again = worker.run(spec_of(project, "second"), attempt=2).trained
    assert again is not None
    assert again.comparison == trained.comparison
    assert latest(project) == FIRST
    (project / "models" / "latest").unlink()
    assert worker.run(spec_of(project, "first"), attempt=2).trained is not None
    assert latest(project) == FIRST


def link_elsewhere(file: Path, neighbour: Path) -> None:
    file.unlink()
    file.symlink_to(neighbour)


def make_huge(file: Path, neighbour: Path) -> None:
    with file.open("ab") as opened:
        opened.truncate(HUGE_BYTES)


def make_folder(file: Path, neighbour: Path) -> None:
    file.unlink()
    file.mkdir()


def remove(file: Path, neighbour: Path) -> None:
    file.unlink()


def change_a_byte(file: Path, neighbour: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"1.0", b"0.0", 1))


@pytest.mark.door(1)
@pytest.mark.door(2)
@pytest.mark.parametrize("damage", [link_elsewhere, make_huge, make_folder, change_a_byte, remove])
def test_damaged_scores_of_the_model_in_use_are_as_good_as_none(
    worker: ProjectWorker, project: Path, damage: Callable[[Path, Path], None]
) -> None:
    file = project / "models" / FIRST / "held_out.json"
    neighbour = shutil.copy(file, worker.root / "neighbour.json")
    damage(file, Path(neighbour))
    trained = train_again(worker, project)
    assert (trained.promoted, latest(project)) == (True, SECOND)
    assert trained.comparison is None or trained.comparison.pictures == 0


@pytest.mark.door(2)
@pytest.mark.parametrize("value", ODD_VALUES, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("place", ["all", "measure", "pictures", "picture", "truth", "score"])
def test_odd_values_in_scores_that_the_manifest_lists_fail_nothing(
    worker: ProjectWorker, project: Path, place: str, value: object
) -> None:
    known = json.loads((project / "models" / FIRST / "held_out.json").read_text())
    some = next(iter(known["pictures"]))
    if place in known:
        known[place] = value
    elif place == "picture":
        known["pictures"][some] = value
    elif place != "all":
        known["pictures"][some][("truth", "score").index(place)] = value
    rewrite(project, json.dumps(value if place == "all" else known).encode())
    train_again(worker, project)


@pytest.mark.door(2)
def test_scores_that_name_every_picture_leave_half_of_each_class_to_train_on(
    worker: ProjectWorker, project: Path
) -> None:
    files = sorted((project / "images").rglob("*.png"))
    contents = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    lies = {"measure": "accuracy", "pictures": {content: ["red", 1.0] for content in contents}}
    rewrite(project, json.dumps(lies).encode())
    with ProjectFolder.open(project) as opened:
        sides = Gate(opened, "classification").sides(contents)
    assert sides.tolist() == [1] * 20
    classes = np.array([file.parent.name == "red" for file in files], np.int64)
    split = stratified_split(classes, np.arange(20), Wanted(0.2), 1, sides)
    assert np.bincount(classes[split.train]).tolist() == [5, 5]


@pytest.mark.door(2)
@pytest.mark.parametrize("value", ODD_VALUES, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("field", ["comparison", "promoted", "train_type"])
def test_odd_values_in_the_verdict_of_a_manifest_fail_nothing(
    worker: ProjectWorker, project: Path, field: str, value: object
) -> None:
    folder = project / "models" / FIRST
    write_manifest(folder, json.loads((folder / "manifest.json").read_text()) | {field: value})
    train_again(worker, project)
    discard_task(spec_of(project, "second"), [worker.root])
