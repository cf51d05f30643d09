"""Which file answers for a task or a project. Pure: its hash comes from the journal, not from the project's folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from protocol.artifact import Artifact
from protocol.prediction import ModelFile
from protocol.task import Task, TaskState
from web.refusal import Refusal

#: The files that can answer, if modelPath names none of them: the most exact one first.
TFLITE_FILES = ("model.tflite", "model_float16.tflite", "model_int8.tflite")


def model_of(task: Task) -> ModelFile:
    """The task's model, or the best one so far of a task that is being trained within a time budget.

    Raises Refusal no_model.
    """
    if task.trained is not None:
        return ModelFile(task.spec, _published(task))
    if task.usable is not None and task.state is TaskState.PROCESSING:
        if not task.usable.artifact.name.endswith(".tflite"):
            raise _no_tflite(task)
        return ModelFile(task.spec, task.usable.artifact)
    if task.state in (TaskState.PENDING, TaskState.PROCESSING):
        words = "there is no model yet; wait until the task is done, or post it with a timeBudget to have one sooner"
    else:
        words = "it has made no model"
    raise Refusal("no_model", f"The task is {task.state.value}, and {words}.", state=task.state.value)


def latest_of(tasks: Iterable[Task]) -> ModelFile:
    """The model that a project uses. tasks: those of the project that are done or being trained, the newest first.

    That is the newest model that was promoted; before there is one, the best so far of a task that is being trained.
    Raises Refusal no_model.
    """
    known = list(tasks)
    for task in known:
        if task.trained is not None and task.trained.promoted:
            return model_of(task)
    for task in known:
        if task.trained is None and task.usable is not None:
            return model_of(task)
    raise Refusal("no_model", "This project has no model in use; post its folder, and wait until the task is done.")


def _published(task: Task) -> Artifact:
    assert task.trained is not None
    files = {artifact.name: artifact for artifact in task.trained.artifacts}
    for name in (PurePosixPath(task.trained.model_path).name, *TFLITE_FILES):
        if name in files and name.endswith(".tflite"):
            return files[name]
    raise _no_tflite(task)


def _no_tflite(task: Task) -> Refusal:
    return Refusal(
        "no_model",
        "The model of this task was not exported as a .tflite file, which predictions need; train it again with "
        "exports=tflite.",
        state=task.state.value,
    )
