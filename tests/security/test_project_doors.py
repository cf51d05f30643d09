"""A project folder is a stranger's: what it may not do to other folders, to a task, and to the worker."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conf.directory import Directory
from protocol.errors import FailureClass
from protocol.task import TaskSpec
from tests.project_folders import write_manifest
from tests.sample_tasks import hex_id, make_spec
from tests.security.exchanges import swap_for_a_link, swap_for_another, swap_parent_for_a_link
from tests.security.project_worker import ProjectWorker, make_project, spec_of
from trainer_worker.project.retention import STALE_AFTER_S, discard_task

SECRET = "a file of another user"


@pytest.fixture
def worker(tmp_path: Path) -> ProjectWorker:
    (tmp_path / "projects").mkdir()
    return ProjectWorker(tmp_path / "projects", tmp_path / "cache")


@pytest.fixture
def project(worker: ProjectWorker) -> Path:
    return make_project(worker.root / "anna" / "x")


@pytest.fixture
def victims(worker: ProjectWorker) -> Path:
    """Another user's folder, with old entries of the names that we give, below one of our own folders' names."""
    folder = worker.root / "bert"
    for name in (hex_id("old"), f".{hex_id('old')}.1.partial", "engine", "tasks", "last"):
        (folder / name).mkdir(parents=True)
        (folder / name / "manifest.json").write_text(SECRET)
        (folder / name / "classification.checkpoint").write_text(SECRET)
        long_ago_s = time.time() - STALE_AFTER_S - 60
        os.utime(folder / name, (long_ago_s, long_ago_s))
    (folder / "secret.txt").write_text(SECRET)
    return folder


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    """What lies below a folder: names, contents and times of change."""
    return {
        str(path.relative_to(folder)): (path.read_text() if path.is_file() else "", path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    }


# ---- links below models/ and .tfmodel/ ----


@pytest.mark.door(1)
@pytest.mark.parametrize("link", [".tfmodel", ".tfmodel/tasks", ".tfmodel/features", ".tfmodel/last"])
def test_nothing_is_written_or_removed_through_a_link_in_our_own_folder(
    worker: ProjectWorker, project: Path, victims: Path, link: str
) -> None:
    (project / link).parent.mkdir(exist_ok=True)
    (project / link).symlink_to(victims)
    before = contents(victims)
    result = worker.run(spec_of(project))
    assert result.trained is not None, result.failure
    assert contents(victims) == before
    discard_task(spec_of(project), [worker.root])
    assert contents(victims) == before


@pytest.mark.door(1)
@pytest.mark.parametrize("name", [hex_id("t1"), f".{hex_id('t1')}.1.partial", f".{hex_id('old')}.1.partial", "latest"])
def test_links_among_the_models_are_replaced_or_left_alone(
    worker: ProjectWorker, project: Path, victims: Path, name: str
) -> None:
    (project / "models").mkdir()
    (project / "models" / name).symlink_to(victims / hex_id("old"))
    before = contents(victims)
    result = worker.run(spec_of(project))
    assert result.trained is not None, result.failure
    assert not (project / "models" / hex_id("t1")).is_symlink()
    assert (project / "models" / "latest").readlink() == Path(hex_id("t1"))
    discard_task(spec_of(project), [worker.root])
    assert contents(victims) == before


@pytest.mark.door(1)
def test_models_as_a_link_are_refused_before_the_training(worker: ProjectWorker, project: Path, victims: Path) -> None:
    (project / "models").symlink_to(victims)
    before = contents(victims)
    result = worker.run(spec_of(project))
    assert result.failure is not None
    assert (result.failure.code, worker.trainings) == ("link_leaves_project", 0)
    discard_task(spec_of(project, "old"), [worker.root])
    assert contents(victims) == before


# ---- manifests ----


def finished(worker: ProjectWorker, project: Path, name: str = "first") -> tuple[Path, dict[str, Any]]:
    """A model of this folder that a next task would take over, and its manifest."""
    assert worker.run(spec_of(project, name)).trained is not None
    folder = project / "models" / hex_id(name)
    return folder, json.loads((folder / "manifest.json").read_text())


@pytest.mark.door(2)
def test_an_unchanged_folder_s_model_is_taken_over(worker: ProjectWorker, project: Path) -> None:
    finished(worker, project)
    result = worker.run(spec_of(project))
    assert result.trained is not None
    assert result.trained.model_path == str(project / "models" / hex_id("t1") / "model.tflite")
    assert worker.trainings == 1


@pytest.mark.door(2)
@pytest.mark.parametrize(
    "change",
    [
        {"files": []},
        {"files": [{"path": "../../../bert/secret.txt", "size_bytes": 22, "sha256": "0" * 64}]},
        {"files": None},
        {"model_file": "/etc/passwd"},
        {"model_file": "../secret.txt"},
        {"model_file": "model.onnx"},
        {"metrics": {"accuracy": 10**400}},
        {"metrics": []},
        {"labels": 10**400},
        {"task_id": hex_id("another")},
    ],
    ids=repr,
)
def test_a_manifest_that_we_would_not_write_means_train(
    worker: ProjectWorker,
    project: Path,
    victims: Path,
    change: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder, manifest = finished(worker, project)
    write_manifest(folder, manifest | change)
    (folder / "evil").symlink_to(victims / "secret.txt")
    caplog.clear()
    result = worker.run(spec_of(project))
    assert result.trained is not None, result.failure
    assert worker.trainings == 2
    assert len({record.message for record in caplog.records if "action=models.ignored" in record.message}) == 1
    assert SECRET not in str(contents(project / "models" / hex_id("t1")))


def swap_for_link(folder: Path, victims: Path) -> None:
    shutil.copy(folder / "model.tflite", victims / "copy")  # the size and the hash are right
    (folder / "model.tflite").unlink()
    (folder / "model.tflite").symlink_to(victims / "copy")


def swap_for_pipe(folder: Path, victims: Path) -> None:
    (folder / "manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")


def nest(folder: Path, victims: Path) -> None:
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.rstrip()[:-1] + ', "x": ' + "[" * 5000 + "]" * 5000 + "}")


def swap_content(folder: Path, victims: Path) -> None:
    content = (folder / "model.tflite").read_bytes()
    (folder / "model.tflite").write_bytes(content[:-1] + b"!")


@pytest.mark.door(2)
@pytest.mark.parametrize("damage", [swap_for_link, swap_for_pipe, nest, swap_content])
def test_a_model_that_is_not_as_it_was_written_means_train(
    worker: ProjectWorker, project: Path, victims: Path, damage: Callable[[Path, Path], None]
) -> None:
    folder, _ = finished(worker, project)
    damage(folder, victims)
    result = worker.run(spec_of(project))
    assert result.trained is not None, result.failure
    assert worker.trainings == 2
    assert (project / "models" / hex_id("t1") / "model.tflite").read_bytes() == b"weights of " + hex_id("t1").encode()


@pytest.mark.door(2)
def test_a_file_beside_the_listed_ones_is_not_copied(worker: ProjectWorker, project: Path, victims: Path) -> None:
    folder, _ = finished(worker, project)
    (folder / "notes.txt").symlink_to(victims / "secret.txt")
    assert worker.run(spec_of(project)).trained is not None
    assert worker.trainings == 1
    names = {path.name for path in (project / "models" / hex_id("t1")).iterdir()}
    assert names == {"manifest.json", "model.tflite", "labels.txt", "held_out.json"}


@pytest.mark.door(2)
def test_a_model_that_was_put_there_for_a_waiting_task_is_not_handed_out(
    worker: ProjectWorker, project: Path, victims: Path
) -> None:
    """The taskId is known from the POST's answer on."""
    folder, manifest = finished(worker, project)
    planted = shutil.copytree(folder, project / "models" / hex_id("t1"))
    write_manifest(planted, manifest | {"task_id": hex_id("t1"), "fingerprint": ""})
    (planted / "model.tflite").unlink()
    (planted / "model.tflite").symlink_to(victims / "secret.txt")
    result = worker.run(spec_of(project))
    assert result.trained is not None, result.failure
    assert not Path(result.trained.model_path).is_symlink()
    assert Path(result.trained.model_path).read_bytes() != SECRET.encode()


# ---- the folder itself ----


def put_file(project: Path, victims: Path) -> None:
    shutil.rmtree(project)
    project.write_text("a file")


@pytest.mark.door(3)
@pytest.mark.parametrize("swap", [swap_for_another, swap_for_a_link, swap_parent_for_a_link, put_file])
def test_a_folder_that_was_swapped_while_the_task_waited_is_not_touched(
    worker: ProjectWorker, project: Path, victims: Path, swap: Callable[[Path, Path], None]
) -> None:
    spec = spec_of(project)
    swap(project, victims)
    before = contents(worker.root)
    result = worker.run(spec)
    assert result.failure is not None
    assert (result.failure.code, result.failure.failure_class) == ("project_dir_changed", FailureClass.DATA)
    discard_task(spec, [worker.root])
    assert contents(worker.root) == before
    assert worker.trainings == 0


@pytest.mark.door(3)
@pytest.mark.parametrize("path", ["/etc", "{root}", "{root}/../cache", "anna/x", "", "{root}-other/x", "{root}/a/../x"])
def test_a_folder_outside_of_the_worker_s_own_roots_is_not_touched(
    worker: ProjectWorker, project: Path, path: str
) -> None:
    spec = make_spec(hex_id("t1"), project_path=path.format(root=worker.root))
    result = worker.run(spec)
    assert result.failure is not None
    assert result.failure.code == "project_dir_changed"
    discard_task(spec, [worker.root])


@pytest.mark.door(3)
@pytest.mark.parametrize("inside", ["models", "models/latest", ".tfmodel", ".tfmodel/tasks"])
def test_a_folder_of_the_worker_is_not_trained_on(worker: ProjectWorker, project: Path, inside: str) -> None:
    make_project(project / inside)
    before = contents(worker.root)
    result = worker.run(spec_of(project / inside))
    assert result.failure is not None
    assert (result.failure.code, worker.trainings) == ("project_dir_changed", 0)
    assert f"lies in {inside.partition('/')[0]}/" in result.failure.error
    assert contents(worker.root) == before


@pytest.mark.door(3)
def test_a_front_end_on_another_machine_numbers_its_devices_otherwise(worker: ProjectWorker, project: Path) -> None:
    status = project.stat()
    spec = make_spec(
        hex_id("t1"),
        project_path=str(project),
        seen_on="another",
        seen_device=str(status.st_dev + 1),
        seen_inode=str(status.st_ino),
    )
    assert worker.run(spec).trained is not None


@pytest.mark.door(9)
def test_a_missing_folder_is_named(worker: ProjectWorker, project: Path) -> None:
    spec = spec_of(project)
    shutil.rmtree(project)
    result = worker.run(spec)
    assert result.failure is not None
    assert result.failure.code == "project_dir_missing"
    assert "upload the photos" in result.failure.error
    assert str(project) in result.failure.error


@pytest.mark.door(9)
def test_a_folder_that_is_deleted_while_training_is_not_made_again(worker: ProjectWorker, project: Path) -> None:
    worker.during = lambda: shutil.rmtree(project)
    result = worker.run(spec_of(project))
    assert result.failure is not None
    assert result.failure.code == "project_dir_missing"
    assert not project.exists()


@pytest.mark.door(3)
def test_a_folder_that_is_swapped_while_training_gets_no_model(
    worker: ProjectWorker, project: Path, victims: Path
) -> None:
    worker.during = lambda: swap_for_a_link(project, victims)
    before = contents(victims)
    result = worker.run(spec_of(project))
    assert result.failure is not None
    assert result.failure.code == "project_dir_changed"
    assert contents(victims) == before


@pytest.mark.door(12)
@pytest.mark.parametrize("task_id", ["../../bert", "..", ".", "latest", hex_id("old").upper(), hex_id("old") + "\n"])
def test_a_name_that_is_no_task_id_deletes_nothing(
    worker: ProjectWorker, project: Path, victims: Path, task_id: str
) -> None:
    before = contents(worker.root)
    spec: TaskSpec = make_spec(task_id, project_path=str(project))
    discard_task(spec, [worker.root])
    result = worker.run(spec)
    assert result.failure is not None
    assert {name: text for name, (text, _) in contents(worker.root).items()} == {
        name: text for name, (text, _) in before.items()
    }


@pytest.mark.door(8)
def test_models_are_made_in_a_folder_for_this_user_only(worker: ProjectWorker, project: Path) -> None:
    modes: list[int] = []
    worker.during = lambda: modes.extend(path.stat().st_mode & 0o777 for path in (worker.cache_dir / "work").iterdir())
    assert worker.run(spec_of(project)).trained is not None
    assert set(modes) == {0o700}
    assert [list(path.iterdir()) for path in (worker.cache_dir / "work").iterdir()] == [[]]


@pytest.mark.door(19)
def test_a_file_called_models_is_refused_before_the_training(worker: ProjectWorker, tmp_path: Path) -> None:
    project = make_project(worker.root / "x")
    (project / "models").write_text("")
    result = worker.run(spec_of(project))
    assert result.failure is not None
    assert (result.failure.code, result.failure.failure_class) == ("project_dir_not_writable", FailureClass.DATA)
    assert worker.trainings == 0


@pytest.mark.door(19)
def test_a_folder_that_the_worker_may_not_write_to_is_refused_before_the_training(
    worker: ProjectWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rights are made up: root, as which tests may run, may write everywhere."""
    project = make_project(worker.root / "x")
    monkeypatch.setattr(Directory, "is_writable", lambda directory, name: False)
    result = worker.run(spec_of(project))
    assert result.failure is not None
    assert result.failure.code == "project_dir_not_writable"
    assert worker.trainings == 0
