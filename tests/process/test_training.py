"""The road from POST to a model that works, through every real part; and what bad folders come to."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from demo.segmentation_data import make_segmentation_project
from tests.object_servers import BUCKET, SECRET, ObjectServer
from tests.otlp_receiver import OtlpReceiver
from tests.process.published_models import accuracy_on_unseen_digits, check_published, tflite_outputs
from tests.process.service_under_test import PATIENCE_S, ServiceUnderTest, pause
from tests.process.small_projects import SIDE_PX, make_digits_project
from tests.process.task_records import check_downloads, check_story, check_trace, epochs_of, log_of

SAMPLE_INTERVAL_S = 0.1
#: Of the cross-validation of a small project.
FOLDS = {"fold1", "fold2", "fold3", "fold4"}
#: The target is two seconds. A machine that runs other things beside the tests gets a third one; where they slow the
#: whole training down, a standstill may grow with it.
LONGEST_STANDSTILL_S, LONGEST_STANDSTILL_SHARE = 3.0, 0.2
#: Of the trace in which a website posts a task.
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
EIGHT_FIELDS = {
    "taskId": str,
    "progress": float,
    "thread": str,
    "state": str,
    "userId": str,
    "projectId": str,
    "projectDir": str,
    "trainType": str,
}


class Sample(NamedTuple):
    at_s: float
    state: str
    progress: float


def test_classification(service: ServiceUnderTest, collector: OtlpReceiver, project: Path, tmp_path: Path) -> None:
    sent = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
    task_id = service.post(project, "classification", sent, imageSize=SIDE_PX, epochs=3)
    samples = sample_progress(service, task_id)
    check_progress(samples)
    brief = service.call("GET", f"/?taskId={task_id}").body
    check_brief(brief, project, "classification")
    folder = check_published(project, service.task(task_id) | {"modelPath": brief["modelPath"]})
    assert (folder / "labels.txt").read_text().split() == ["0", "1"]
    assert accuracy_on_unseen_digits(folder, tmp_path, seen=20) >= 0.8  # chance: 0.5
    check_story(service, task_id, ("features", "train", "cross_validate", "export", "publish"), FOLDS)
    check_downloads(service, task_id)
    check_trace(service, task_id, collector, TRACE_ID)


def test_a_project_in_object_storage(
    service: ServiceUnderTest, object_server: ObjectServer | None, cache_dir: str, tmp_path: Path
) -> None:
    """Photos, model, report and log lie in the bucket, and callers get all of them as from a folder."""
    if object_server is None:
        pytest.skip("obstore or moto is not installed; pip install -r requirements-cluster-dev.txt")
    photos = make_digits_project(tmp_path / "digits", per_class=12)
    files = {path.relative_to(photos).as_posix(): path.read_bytes() for path in photos.rglob("*.png")}
    object_server.fill("users/42/digits", files)
    url = f"s3://{BUCKET}/users/42/digits"
    task_id = service.post(url, "classification", imageSize=SIDE_PX, epochs=1, exports="tflite,saved_model")
    service.wait_for_end(task_id)
    brief = service.call("GET", f"/?taskId={task_id}").body
    assert brief["projectDir"] == url
    assert brief["modelPath"].startswith(f"{url}/models/{task_id}/")
    key = brief["modelPath"].removeprefix(f"s3://{BUCKET}/")
    (tmp_path / "model").mkdir()
    for name in ("model.tflite", "labels.txt"):
        (tmp_path / "model" / name).write_bytes(object_server.read(f"{key.rpartition('/')[0]}/{name}"))
    assert accuracy_on_unseen_digits(tmp_path / "model", tmp_path, seen=12) >= 0.8  # chance: 0.5
    latest = json.loads(object_server.read("users/42/digits/models/latest"))
    assert latest == {"task_id": task_id, "model_path": brief["modelPath"]}
    check_downloads(service, task_id)
    log = log_of(service, task_id)
    assert "24 files with " in log
    assert "have come from object storage" in log
    assert service.task(task_id)["stageSeconds"]["download"] > 0
    again = service.post(url, "classification", imageSize=SIDE_PX, epochs=1, exports="tflite,saved_model")
    service.wait_for_end(again)
    assert f"The model is that of task {task_id}" in log_of(service, again)
    assert "have come from object storage" not in log_of(service, again), "nothing has changed"
    stored = {name: object_server.read(name) for name in object_server.names("users/42/")}
    logs = [path.read_bytes() for path in (service.home / "log").iterdir()]
    assert not any(SECRET.encode() in content for content in (*stored.values(), *logs))
    told = [content for name, content in stored.items() if name.endswith((".json", ".txt", ".html"))]
    assert not any(cache_dir.encode() in content for content in told), (
        "where the worker keeps its copy is its own affair"
    )


def test_segmentation(service: ServiceUnderTest, tmp_path: Path) -> None:
    project = service.projects / "pasted_digits"
    make_segmentation_project(project, images=16, seed=1)
    task_id = service.post(project, "segmentation", imageSize=96, epochs=8, batchSize=4)
    samples = sample_progress(service, task_id)
    check_progress(samples)
    brief = service.call("GET", f"/?taskId={task_id}").body
    check_brief(brief, project, "segmentation")
    folder = check_published(project, service.task(task_id) | {"modelPath": brief["modelPath"]})
    check_story(service, task_id, ("read", "train", "export", "publish"), set())
    unseen = tmp_path / "unseen"
    make_segmentation_project(unseen, images=6, seed=2)
    pictures, masks = _read_pairs(unseen, 96)
    probabilities = tflite_outputs(folder / "model.tflite", pictures, tmp_path)[..., 0]
    assert probabilities.shape == masks.shape
    # Of a foreground pixel and a background pixel, the likelier is the foreground one more often than by chance.
    assert _ranking(probabilities[masks], probabilities[~masks]) >= 0.6  # chance: 0.5


def test_names_that_no_message_could_carry_do_not_cost_the_model(service: ServiceUnderTest, project: Path) -> None:
    """A class folder that is named in Latin-1, and classes with labels of 400 characters from a list."""
    folders = sorted((project / "images").iterdir())
    folders[0].rename(os.fsdecode(os.fsencode(folders[0]) + b"-caf\xe9"))
    listed = service.projects / f"{project.name}-listed"
    listed.mkdir()
    rows = ["file,label"]
    for number, path in enumerate(sorted((project / "images").rglob("*.png"))):
        shutil.copy(path, listed / f"{number}.png")
        rows.append(f"{number}.png,{path.parent.name[0] * 400}{'first' if path.parent == folders[1] else 'second'}")
    (listed / "labels.csv").write_text("\n".join(rows))
    for folder in (project, listed):
        task_id = service.post(folder, "classification", imageSize=SIDE_PX, exports="tflite", epochs=1)
        service.wait_for_end(task_id, "done")
        report = service.task(task_id)["dataReport"]
        assert len(report["counts"]) == 2
        assert all(len(label) <= 255 and label.isprintable() for label in report["counts"])


def test_bad_folders_fail_in_words_and_the_next_task_starts_at_once(
    service: ServiceUnderTest, project: Path, tmp_path: Path
) -> None:
    agent = service.pid_of("trainer_worker:trainer_worker_0")
    empty = service.projects / "empty"
    empty.mkdir()
    one_class = make_digits_project(service.projects / "one_class", digits=(7,))
    for folder, code, word in ((empty, "no_images", "no images there"), (one_class, "too_few_classes", "7")):
        service.wait_for_spare()
        training, spare = service.trainers_of(agent)
        task_id = service.post(folder, "classification", imageSize=SIDE_PX)
        service.wait_for_end(task_id, "failed")
        brief = service.call("GET", f"/?taskId={task_id}").body
        assert brief["code"] == code
        assert word in brief["error"]
        assert "Traceback" not in str(brief)
        assert brief["progress"] < 100.0
        log = log_of(service, task_id)
        assert f"attempt 1 failed ({code}): {brief['error']}" in log
        assert epochs_of(service, task_id) == []
        assert not (folder / "models" / task_id).exists()
        assert service.task(task_id)["attempt"] == 1
        assert service.trainers_of(agent) == [training, spare], "a bad folder says nothing against the process"
    task_id = service.post(project, "classification", imageSize=SIDE_PX, epochs=3, exports="tflite")
    service.wait_for_task(task_id, lambda task: task["phase"] not in ("", "starting"))
    # In a process that was warm before, so it did not wait for TensorFlow.
    assert service.trainers_of(agent) == [training, spare]
    task = service.wait_for_end(task_id)
    assert task["thread"] == "trainer_worker_0"
    assert accuracy_on_unseen_digits(check_published(project, task, others=frozenset()), tmp_path, seen=20) >= 0.8


def test_folders_outside_the_data_root_are_refused(service: ServiceUnderTest, tmp_path: Path) -> None:
    outside = make_digits_project(tmp_path / "outside")
    shutil.rmtree(service.projects / "link", ignore_errors=True)
    (service.projects / "link").symlink_to(outside)
    for folder in (outside, service.projects / "link"):
        fields = {"userId": "u", "projectId": "p", "projectDir": str(folder), "trainType": "classification"}
        answer = service.call("POST", "/", fields)
        assert (answer.status, answer.body["code"]) == (403, "project_dir_not_allowed")
        assert "data_roots" in answer.body["error"]


def sample_progress(service: ServiceUnderTest, task_id: str) -> list[Sample]:
    """GET as a website does, until the task has ended."""
    samples: list[Sample] = []
    give_up_at_s = time.monotonic() + PATIENCE_S
    while not samples or samples[-1].state in ("pending", "processing"):
        body = service.call("GET", f"/?taskId={task_id}").body
        samples.append(Sample(time.monotonic(), body["state"], body["progress"]))
        assert time.monotonic() < give_up_at_s, f"{samples[-1]}\n{service.last_log_lines()}"
        pause(SAMPLE_INTERVAL_S)
    assert samples[-1].state == "done", f"{samples[-1]}\n{service.last_log_lines()}"
    return samples


def check_progress(samples: list[Sample]) -> None:
    values = [sample.progress for sample in samples]
    assert values == sorted(values)
    assert all((sample.progress == 100.0) == (sample.state == "done") for sample in samples)
    processing = [sample for sample in samples if sample.state == "processing"]
    whole_s = samples[-1].at_s - processing[0].at_s
    assert len(set(values)) > min(10.0, 2 * whole_s)  # four reports a second are the most
    changed_at_s, longest_s, stood_at = processing[0].at_s, 0.0, 0.0
    for before, sample in zip(processing, [*processing[1:], samples[-1]], strict=True):
        if sample.at_s - changed_at_s > longest_s:
            longest_s, stood_at = sample.at_s - changed_at_s, before.progress
        if sample.progress != before.progress:
            changed_at_s = sample.at_s
    print(f"longest standstill {longest_s:.1f} s of {whole_s:.1f} s, at {stood_at} %")
    allowed_s = max(LONGEST_STANDSTILL_S, LONGEST_STANDSTILL_SHARE * whole_s)
    assert longest_s <= allowed_s, f"progress stood at {stood_at} % for {longest_s:.1f} s"


def check_brief(brief: dict[str, Any], project: Path, train_type: str) -> None:
    assert {name: type(brief[name]) for name in EIGHT_FIELDS} == EIGHT_FIELDS
    assert set(brief) == {*EIGHT_FIELDS, "modelPath", "warnings", "skippedFiles"}
    assert (brief["state"], brief["progress"], brief["thread"]) == ("done", 100.0, "trainer_worker_0")
    assert (brief["projectDir"], brief["trainType"]) == (str(project), train_type)


def _read_pairs(project: Path, side: int) -> tuple[Any, Any]:
    """uint8 (n, side, side, 3) and bool (n, side, side)."""
    pictures, masks = [], []
    for path in sorted((project / "images").iterdir()):
        mask = project / "masks" / f"{path.stem}_mask.png"
        pictures.append(np.asarray(Image.open(path).convert("RGB").resize((side, side))))
        masks.append(np.asarray(Image.open(mask).resize((side, side), Image.Resampling.NEAREST)) > 0)
    return np.stack(pictures), np.stack(masks)


def _ranking(positives: Any, negatives: Any) -> float:
    """Area under the ROC curve, from ranks (Mann-Whitney U)."""
    values = np.concatenate([positives, negatives])
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    above = ranks[: len(positives)].sum() - len(positives) * (len(positives) + 1) / 2
    return float(above / (len(positives) * len(negatives)))
