"""Removes what is no longer needed from a project folder. Only entries with names that we give are touched."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from conf.directory import Directory
from protocol.bounds import is_task_id, refuse_other_than_task_id
from protocol.errors import TrainingError
from protocol.project_layout import LATEST
from protocol.task import TaskSpec
from trainer_worker.project.checkpoints import Checkpoints
from trainer_worker.project.feature_cache import trim_features
from trainer_worker.project.folder import ProjectFolder, admit
from trainer_worker.project.latest import in_use, latest_task
from trainer_worker.project.model_folder import PARTIAL
from trainer_worker.project.models import finished_models

#: After this time, what an unfinished attempt left behind is removed.
STALE_AFTER_S = 7 * 86_400.0
TASKS = "tasks"

log = logging.getLogger(__name__)


def checkpoints_of(project: ProjectFolder, task_id: str) -> Checkpoints:
    """The checkpoints of one task, from any of its attempts. ValueError for something that is not a task id."""
    refuse_other_than_task_id(task_id)
    return Checkpoints(project, TASKS, task_id)


def discard_task(spec: TaskSpec, allowed_roots: Sequence[Path]) -> None:
    """Remove everything that a cancelled task has left: its model, unfinished folders and checkpoints.

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
    and features beyond their limit. Models in use stay, however old they are."""
    trim_features(project)
    with contextlib.suppress(OSError), project.models() as models:
        if keep_models:
            finished = finished_models(models)
            used = in_use(models, finished)
            for model in finished[keep_models:]:
                if model.task_id not in used:
                    models.remove(model.task_id)
        _remove_stale(models, lambda name: PARTIAL.fullmatch(name) is not None)
    with contextlib.suppress(OSError), project.kept(TASKS) as tasks:
        _remove_stale(tasks, is_task_id)


def _discard_model(models: Directory, task_id: str) -> None:
    models.remove(task_id)
    for name in models.names():
        found = PARTIAL.fullmatch(name)
        if found is not None and found[1] == task_id:
            models.remove(name)
    with contextlib.suppress(OSError):
        if latest_task(models) == task_id:
            models.remove(LATEST)
            newest = next((model for model in finished_models(models) if model.manifest.promoted), None)
            if newest is not None:
                models.point_link(LATEST, newest.task_id)


def _remove_stale(folder: Directory, is_ours: Callable[[str], bool]) -> None:
    stale_before_s = time.time() - STALE_AFTER_S
    for name in filter(is_ours, folder.names()):
        with contextlib.suppress(OSError):
            if folder.status(name).st_mtime < stale_before_s:
                folder.remove(name)
