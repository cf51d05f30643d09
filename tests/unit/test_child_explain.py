"""A failure says in words what happened, with the code that decides whether it is tried again."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from pathlib import Path
from typing import Any

import pytest

from protocol import pipe_messages as piped
from protocol.errors import FailureClass, TrainingError
from tests.project_folders import open_project
from tests.sample_tasks import hex_id, make_spec
from tests.security.project_worker import ProjectWorker
from trainer_worker.attempt.job import Cancelled, CancelOrder, Job
from trainer_worker.attempt.local_weights import LocalWeights
from trainer_worker.backbones.weights_files import WEIGHTS_FILES
from trainer_worker.pictures.contents import sha256_of_path
from trainer_worker.project.model_folder import ModelFolder
from trainer_worker.project.models import finished_model, trained
from trainer_worker.training.child import TRACE_LINES, explain, make_job
from trainer_worker.training.settings import TrainerSettings


class ResourceExhaustedError(Exception):
    """As TensorFlow names it when memory runs out."""


@pytest.mark.parametrize(
    ("error", "code", "failure_class"),
    [
        (TrainingError("no_images", "There are no images in /p."), "no_images", FailureClass.DATA),
        (MemoryError(), "out_of_memory", FailureClass.RESOURCES),
        (ResourceExhaustedError("OOM when allocating"), "out_of_memory", FailureClass.RESOURCES),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full", FailureClass.RESOURCES),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk_full", FailureClass.RESOURCES),
        (ResourceExhaustedError("/tmp/m.keras; No space left on device"), "disk_full", FailureClass.RESOURCES),
        (OSError(errno.EIO, "I/O error"), "trainer_error", FailureClass.TRAINER),
        (ZeroDivisionError("division by zero"), "trainer_error", FailureClass.TRAINER),
    ],
)
def test_each_kind_of_error_has_its_code_and_class(error: Exception, code: str, failure_class: FailureClass) -> None:
    failure = explain(error)
    assert (failure.code, failure.failure_class) == (code, failure_class)
    assert failure.error.endswith((".", "zero", "error"))


def test_a_trainers_own_sentence_is_passed_on_as_it_is() -> None:
    assert explain(TrainingError("no_images", "There are no images in /p.")).error == "There are no images in /p."


def test_an_unexpected_error_names_its_type_and_words() -> None:
    assert explain(ValueError("shapes differ")).error == "The training failed: ValueError: shapes differ"


def test_a_very_long_error_is_cut_and_the_trace_keeps_its_last_lines() -> None:
    error = ValueError("the first of many")
    for depth in range(TRACE_LINES):
        error, error.__cause__ = ValueError("x" * 10_000 + str(depth)), error
    failure = explain(error)
    assert len(failure.error) < 600
    assert len(failure.trace.splitlines()) == TRACE_LINES
    assert "ValueError" in failure.trace


# ---- the order as the trainer sees it ----


def job_of(order: piped.Train, weights_dir: Path) -> Job:
    settings = TrainerSettings(cache_dir=weights_dir, weights_dir=weights_dir, backbone_dir=weights_dir, threads=1)
    return make_job(order, open_project(Path(order.spec.project_path)), settings)


def order(folder: Path, attempt: int = 1, batch_divisor: int = 1, **options: Any) -> piped.Train:
    return piped.Train(make_spec(project_path=str(folder), options=options), attempt, batch_divisor)


def test_a_job_carries_the_options_with_their_defaults(tmp_path: Path) -> None:
    job = job_of(order(tmp_path, attempt=2, epochs=3), tmp_path)
    assert (job.task_id, job.attempt, job.project_dir, job.train_type) == ("t1", 2, tmp_path, "classification")
    assert (job.options.epochs, job.options.batch_size) == (3, 32)


@pytest.mark.parametrize(("batch_size", "divisor", "left"), [(32, 2, 16), (5, 2, 2), (1, 2, 1)])
def test_after_running_out_of_memory_the_batch_is_smaller(
    tmp_path: Path, batch_size: int, divisor: int, left: int
) -> None:
    assert job_of(order(tmp_path, 2, divisor, batchSize=batch_size), tmp_path).options.batch_size == left


def test_weights_that_are_not_there_fail_the_order_with_file_and_folder_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        job_of(order(tmp_path, backbone="mobilenet_v2"), tmp_path / "weights")
    assert caught.value.code == "unsupported_option"
    assert WEIGHTS_FILES["mobilenet_v2"] in caught.value.error
    assert str(tmp_path / "weights") in caught.value.error


def test_weights_that_are_there_come_with_the_job_and_others_need_none(tmp_path: Path) -> None:
    file = tmp_path / WEIGHTS_FILES["mobilenet_v2"]
    file.write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    assert job_of(order(tmp_path, backbone="mobilenet_v2"), tmp_path).weights == LocalWeights(file, sha256)
    assert job_of(order(tmp_path, backbone="lite2"), tmp_path).weights is None


def test_a_network_of_the_operators_own_comes_with_the_job_as_its_folder(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    weights = job_of(order(tmp_path, backbone="own:tiny"), tmp_path).weights
    assert weights == LocalWeights(tmp_path / "tiny", sha256_of_path(tmp_path / "tiny"))
    with pytest.raises(TrainingError, match=r"\[worker\] backbone_dir.*This worker has own:tiny\.") as caught:
        job_of(order(tmp_path, backbone="own:other"), tmp_path)
    assert caught.value.code == "unsupported_option"


@pytest.mark.parametrize("backbone", ["own:tiny", "mobilenet_v2"])
def test_weights_that_cannot_be_looked_at_fail_the_order_with_words(
    tmp_path: Path, backbone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = WEIGHTS_FILES.get(backbone, "tiny")
    (tmp_path / name).symlink_to(tmp_path / "gone")
    with pytest.raises(TrainingError, match=f"{name}.* is a link to {tmp_path}/gone, where nothing is") as caught:
        job_of(order(tmp_path, backbone=backbone), tmp_path)
    assert caught.value.code == "unsupported_option"
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"is no folder; it must be|can't be looked at \(Not a directory\)"):
        job_of(order(tmp_path, backbone=backbone), tmp_path / "file")
    job_order, stat = order(tmp_path, backbone=backbone), Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if path.name == name:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(TrainingError, match=r"can't be looked at \(Permission denied\)"):
        job_of(job_order, tmp_path)


def test_a_cancel_ends_the_hashing_of_weights(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "network.keras").write_bytes(b"a network of gigabytes")

    def cancel() -> None:
        raise Cancelled

    settings = TrainerSettings(cache_dir=tmp_path, weights_dir=tmp_path, backbone_dir=tmp_path, threads=1)
    with pytest.raises(Cancelled):
        make_job(order(tmp_path, backbone="own:tiny"), open_project(tmp_path), settings, tell=cancel)


def test_a_cancel_ends_the_second_hashing_of_weights_too(tmp_path: Path) -> None:
    """They are hashed again when a network has been loaded from them."""
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "network.keras").write_bytes(b"a network of gigabytes")
    settings = TrainerSettings(cache_dir=tmp_path, weights_dir=tmp_path, backbone_dir=tmp_path, threads=1)
    cancel = CancelOrder()
    job = make_job(order(tmp_path, backbone="own:tiny"), open_project(tmp_path), settings, tell=cancel.obey)
    assert job.weights is not None
    job.weights.refuse_if_changed()
    cancel.give()
    with pytest.raises(Cancelled):
        job.weights.refuse_if_changed()


def test_a_model_that_was_finished_earlier_needs_no_weights(tmp_path: Path) -> None:
    project = tmp_path / "projects" / "rose"
    (project / "images" / "red").mkdir(parents=True)
    (project / "images" / "red" / "0.png").write_bytes(b"a picture")
    worker = ProjectWorker(tmp_path / "projects", tmp_path / "cache")
    weights = worker.cache_dir / WEIGHTS_FILES["mobilenet_v2"]
    weights.write_bytes(b"weights")
    spec = make_spec(hex_id("t1"), project_path=str(project), options={"backbone": "mobilenet_v2"})
    first = worker.run(spec)
    assert first.trained is not None, first.failure
    weights.unlink()
    again = worker.run(spec, attempt=2)
    assert again.trained is not None, again.failure
    assert (again.trained.model_path, worker.trainings) == (first.trained.model_path, 1)


@pytest.mark.parametrize("file", ["model.tflite", "model.onnx"])
def test_a_model_that_was_finished_earlier_names_its_own_file(tmp_path: Path, file: str) -> None:
    project, task_id = open_project(tmp_path), hex_id("t1")
    with ModelFolder(project, task_id, 1) as folder:
        folder.add(file, io.BytesIO(b"weights"))
        folder.publish({"model_file": file, "metrics": {"accuracy": 0.5, "loss": float("nan")}})
    manifest = finished_model(project, task_id)
    assert manifest is not None
    told = trained(project, manifest)
    assert (told.model_path, told.metrics) == (str(tmp_path / "models" / task_id / file), {"accuracy": 0.5})
    assert told.taken_over_from == task_id
    for artifact in told.artifacts:
        content = (tmp_path / "models" / task_id / artifact.name).read_bytes()
        assert (artifact.size_bytes, artifact.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert [artifact.name for artifact in told.artifacts] == [file, "manifest.json"]
