"""Which file answers for a task or a project."""

from __future__ import annotations

import msgspec
import pytest

from protocol.artifact import Artifact, UsableModel
from protocol.task import Task, TaskState, Trained
from tests.sample_tasks import hex_id, make_spec
from web.answers.refusal import Refusal
from web.prediction.models import first_usable, model_of

FILES = ("labels.txt", "model.tflite", "model_float16.tflite", "model_int8.tflite", "model.keras")


def artifact(name: str) -> Artifact:
    return Artifact(name, 10, f"{FILES.index(name):064x}")


def done(task: object, path: str, *names: str) -> Task:
    trained = Trained(f"/p/models/x/{path}", artifacts=tuple(map(artifact, names)))
    return Task(make_spec(hex_id(task)), TaskState.DONE, trained=trained)


def training(task: object, usable: str = "") -> Task:
    model = UsableModel(f"/p/models/x/{usable}", artifact(usable)) if usable else None
    return Task(make_spec(hex_id(task)), TaskState.PROCESSING, usable=model)


@pytest.mark.parametrize(
    ("path", "names", "answers"),
    [
        ("model.tflite", FILES, "model.tflite"),
        ("model_int8.tflite", FILES, "model_int8.tflite"),
        ("model.keras", FILES, "model.tflite"),
        ("model.keras", ("labels.txt", "model.keras", "model_int8.tflite"), "model_int8.tflite"),
    ],
)
def test_the_file_of_modelpath_answers_if_it_can(path: str, names: tuple[str, ...], answers: str) -> None:
    assert model_of(done(1, path, *names)).artifact == artifact(answers)


def test_the_best_model_so_far_answers_while_a_task_is_trained() -> None:
    task = training(1, "model.tflite")

    assert (model_of(task).artifact, model_of(task).spec) == (artifact("model.tflite"), task.spec)
    cancelled = msgspec.structs.replace(task, state=TaskState.CANCELLED)
    files = training(1, "model.keras"), done(1, "x", "model.keras")
    for other in (cancelled, training(1), Task(make_spec(hex_id(1))), *files):
        with pytest.raises(Refusal) as refusal:
            model_of(other)
        assert refusal.value.problem.code == "no_model"
        assert refusal.value.problem.state == other.state.value
        assert ("exports=tflite" in refusal.value.problem.error) is (other in files)


def test_the_best_so_far_of_a_training_may_be_used() -> None:
    tasks = [training("later"), training("now", "model.tflite")]

    assert first_usable(tasks) is tasks[1]
    for none in ([], tasks[:1]):
        assert first_usable(none) is None
