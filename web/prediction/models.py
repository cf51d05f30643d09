"""Which file answers for a task or a project. Pure: its hash comes from the journal, not from the project's folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from protocol.prediction import ModelFile
from protocol.task import Task, TaskState
from web.answers.refusal import Refusal
from web.files.artifacts import artifacts_of

#: The files that can answer, if modelPath names none of them: the most exact one first.
TFLITE_FILES = ("model.tflite", "model_float16.tflite", "model_int8.tflite")


def model_of(task: Task) -> ModelFile:
    """The task's model, or the best one so far of a task that has a time budget. Raises Refusal no_model."""
    files = {artifact.name: artifact for artifact in artifacts_of(task)}
    for name in (_named(task), *TFLITE_FILES):
        if name in files and name.endswith(".tflite"):
            return ModelFile(task.spec, files[name])
    if files:
        raise Refusal(
            "no_model",
            "The model of this task was not exported as a .tflite file, which predictions need; train it again with "
            "exports=tflite.",
            state=task.state.value,
        )
    if task.state in (TaskState.PENDING, TaskState.PROCESSING):
        words = "there is no model yet; wait until the task is done, or post it with a timeBudget to have one sooner"
    else:
        words = "it has no model"
    raise Refusal("no_model", f"The task is {task.state.value}, and {words}.", state=task.state.value)


def _named(task: Task) -> str:
    """The name of the file that is the task's modelPath."""
    path = task.trained.model_path if task.trained else task.usable.model_path if task.usable else ""
    return PurePosixPath(path).name


def first_usable(tasks: Iterable[Task]) -> Task | None:
    """The first of these tasks that has a usable model before its end; None if none of them has."""
    return next((task for task in tasks if task.usable is not None), None)
