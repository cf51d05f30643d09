"""Removes what is no longer needed from a project folder. Only entries with names that we give are touched."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from conf.directory import Directory
from protocol.bounds import is_task_id, refuse_other_than_task_id
from protocol.errors import TrainingError
from protocol.project_layout import CHECKPOINTS, LATEST, TASKS
from protocol.task import TaskSpec
from trainer_worker.project.checkpoints import Checkpoints
from trainer_worker.project.feature_cache import trim_features
from trainer_worker.project.folder import ProjectFolder, admit
from trainer_worker.project.latest import came_into_use, in_use, latest_task
from trainer_worker.project.model_folder import PARTIAL
from trainer_worker.project.models import finished_models

#: After this time, what an unfinished attempt left behind is removed.
STALE_AFTER_S = 7 * 86_400.0

log = logging.getLogger(__name__)


def checkpoints_of(project: ProjectFolder, task_id: str) -> Checkpoints:
    """The checkpoints of one task, from any of its attempts. ValueError for something that is not a task id."""
    refuse_other_than_task_id(task_id)
    return Checkpoints(project, TASKS, task_id, CHECKPOINTS)


def discard_task(spec: TaskSpec, allowed_roots: Sequence[Path]) -> None:
    """Remove what a cancelled task has left: its model, unfinished folders and checkpoints. Its log stays.

    The folder is checked as for a training (see admit). A folder that is not the task's own is left alone.
    """
    try:
        with admit(spec, allowed_roots) as project:
            checkpoints_of(project, spec.task_id).clear()
            with project.models() as models:
                _discard_model(models, spec.task_id)
    except FileNotFoundError:
        pass  # the project has no models/
    except (TrainingError, OSError, ValueError) as error:
        log.warning("action=task.not_discarded task=%r reason=%r", spec.task_id[:80], str(error)[:500])


def tidy_project(project: ProjectFolder, keep_models: int) -> None:
    """Remove finished models beyond the `keep_models` newest (0 keeps all), stale unfinished folders and checkpoints,
    and features beyond their limit. Models in use stay, however old they are.

    The log of a task goes together with its model. The log of a task without a model goes when it is stale.
    If object storage does not answer, more is left for the next task.
    """
    try:
        _tidy(project, keep_models)
    except TrainingError as error:
        log.warning("action=project.not_tidied reason=%r", str(error)[:500])


def _tidy(project: ProjectFolder, keep_models: int) -> None:
    trim_features(project)
    removed: list[str] = []
    with contextlib.suppress(OSError), project.models() as models:
        if keep_models:
            removed = _remove_old_models(project, models, keep_models)
        for name in filter(PARTIAL.fullmatch, models.names()):
            if _is_stale(models, name):
                models.remove(name)
        _tidy_tasks(project, models, removed)
    project.origin.tidy(STALE_AFTER_S)


def _remove_old_models(project: ProjectFolder, models: Directory, keep_models: int) -> list[str]:
    """The tasks of the removed models. None is removed while a person chooses one: the next training tidies again."""
    with models.locked() as is_locked:
        if not is_locked:
            return []
        finished = finished_models(models)
        used = in_use(models, finished)
        removed = [model.task_id for model in finished[keep_models:] if model.task_id not in used]
        for task_id in removed:
            project.origin.remove_model(task_id)
            models.remove(task_id)
    return removed


def _tidy_tasks(project: ProjectFolder, models: Directory, removed: Sequence[str]) -> None:
    """Tidy the folders of tasks in .tfmodel. removed: the tasks whose models have just been removed."""
    with contextlib.suppress(OSError), project.kept(TASKS) as tasks:
        for task_id in filter(is_task_id, tasks.names()):
            if task_id in removed or (_is_stale(tasks, task_id) and not _has(models, task_id)):
                tasks.remove(task_id)
                continue
            with contextlib.suppress(OSError), tasks.folder(task_id) as task:
                if _is_stale(task, CHECKPOINTS):
                    task.remove(CHECKPOINTS)


def _discard_model(models: Directory, task_id: str) -> None:
    models.remove(task_id)
    for name in models.names():
        found = PARTIAL.fullmatch(name)
        if found is not None and found[1] == task_id:
            models.remove(name)
    with contextlib.suppress(OSError):
        if latest_task(models) == task_id:
            models.remove(LATEST)
            used = came_into_use(models, finished_models(models))
            if used:
                models.point_link(LATEST, used[0].task_id)


def _is_stale(folder: Directory, name: str) -> bool:
    """Whether neither the entry nor anything directly in it has changed for STALE_AFTER_S. False for no entry."""
    changed_at_s = 0.0
    with contextlib.suppress(OSError):
        changed_at_s = folder.status(name).st_mtime
        with folder.folder(name) as below:
            changed_at_s = max([changed_at_s, *(below.status(entry).st_mtime for entry in below.names())])
    return 0.0 < changed_at_s < time.time() - STALE_AFTER_S


def _has(models: Directory, task_id: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        models.status(task_id)
        return True
    return False
