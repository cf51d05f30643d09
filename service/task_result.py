"""What is shown of a task that has ended: scores with intervals, warnings, files, and where everything is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from protocol.percent import scores_in_words
from protocol.sizes import size_in_words
from service.screen import Screen
from service.task_words import duration_words, report_path
from tfmodel_client import Client, TFModelError
from tfmodel_client.types import Task

#: Files that are listed one by one. A SavedModel alone has several.
MOST_FILES = 12


class ModelFile(Protocol):
    """A file of a model, as the server lists it."""

    @property
    def name(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...


def show_result(client: Client, task: Task, screen: Screen) -> None:
    files = _files_of(client, task)
    report = report_path(task.model_path) if task.model_path and task.state == "done" else ""
    if screen.json:
        screen.line({"type": "result", "task": task, "artifacts": files, "report": report})
        return
    screen.say(f"The task {task.task_id} is {task.state}.")
    if task.state == "failed":
        screen.say(f"{task.error} ({task.code})")
    rows = [("score", words) for words in scores_in_words(task.metrics).values()] if task.state == "done" else []
    if task.stage_seconds:
        rows.append(("time", duration_words(sum(task.stage_seconds.values()))))
    rows += [("file", f"{file.name}  {size_in_words(file.size_bytes)}") for file in files[:MOST_FILES]]
    if len(files) > MOST_FILES:
        rows.append(("", f"and {len(files) - MOST_FILES} more"))
    rows += [("report", report)] if report else []
    rows += [("model", task.model_path)] if task.model_path else []
    screen.facts(rows)
    for warning in task.warnings or ():
        screen.say(f"Warning: {warning}")


def _files_of(client: Client, task: Task) -> Sequence[ModelFile]:
    """The files of the model. Empty if there is no model or its files can't be listed, which is no reason to fail."""
    if task.state != "done":
        return []
    try:
        return client.artifacts(task.task_id).artifacts
    except TFModelError:
        return []
