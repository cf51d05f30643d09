"""Which files of a model may be handed out."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from protocol.artifact import Artifact, UsableModel
from protocol.task import Task, TaskState, Trained
from tests.sample_tasks import hex_id, make_spec
from trainer_worker.project.model_files import FILES, MANIFEST
from web.files.artifacts import artifacts_of, media_type, scores_in, views_of

FIRST = Artifact("model.tflite", 3, hashlib.sha256(b"one").hexdigest())
FINAL = Artifact("model.tflite", 3, hashlib.sha256(b"two").hexdigest())
USABLE = UsableModel("/p/model.tflite", FIRST)


def task(state: TaskState, trained: bool = False, usable: bool = False) -> Task:
    result = Trained("/p/model.tflite", artifacts=(FINAL,)) if trained else None
    return Task(make_spec(hex_id("t1")), state, trained=result, usable=USABLE if usable else None)


@pytest.mark.parametrize(
    ("given", "files"),
    [
        (task(TaskState.PENDING), ()),
        (task(TaskState.PROCESSING), ()),
        (task(TaskState.PROCESSING, usable=True), (FIRST,)),
        (task(TaskState.PENDING, usable=True), (FIRST,)),  # between two attempts
        (task(TaskState.FAILED, usable=True), (FIRST,)),
        (task(TaskState.CANCELLED, usable=True), ()),  # a cancelled task leaves no model
        (task(TaskState.DONE, trained=True, usable=True), (FINAL,)),
    ],
)
def test_the_first_usable_model_is_there_before_the_final_one(given: Task, files: tuple[Artifact, ...]) -> None:
    assert artifacts_of(given) == files


def test_the_score_of_a_folder_belongs_to_its_files() -> None:
    listed = {"exports": {"score_name": "dice", "formats": [{"file": "saved_model", "score": 0.5}]}}
    inside, beside = Artifact("saved_model/saved_model.pb", 1, "0" * 64), Artifact("labels.txt", 1, "0" * 64)
    found = views_of(task(TaskState.DONE), (inside, beside), scores_in(msgspec.json.encode(listed)))
    assert [msgspec.to_builtins(view).get("score") for view in found] == [0.5, None]


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b'{"exports": 1}', b"[" * 100_000, b"\xff"])
def test_a_manifest_of_another_form_has_no_scores(manifest: bytes) -> None:
    assert scores_in(manifest).of_files == {}


def test_what_the_worker_writes_has_a_media_type() -> None:
    assert (
        media_type(FILES["tflite"]) == media_type("saved_model/variables/variables.index") == "application/octet-stream"
    )
    assert media_type(MANIFEST) == "application/json"
