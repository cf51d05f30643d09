"""The link models/latest, which names the model to use.

It is switched after a model's folder has got its final name. A worker that is killed in between leaves the link where
it was; the next attempt at the task switches it then (finish_switch).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence

from conf.directory import Directory
from protocol.bounds import is_task_id
from protocol.project_layout import LATEST
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.manifest import Manifest
from trainer_worker.project.models import FinishedModel, written_at_s

log = logging.getLogger(__name__)


def latest_task(models: Directory) -> str:
    """The task whose model models/latest names; "" if there is no such link."""
    with contextlib.suppress(OSError):
        target = models.link_target(LATEST)
        return target if is_task_id(target) else ""
    return ""


def switch_latest(models: Directory, task_id: str) -> None:
    """Point models/latest to a model. On a file system without links there is none, and the model is used by path."""
    try:
        models.point_link(LATEST, task_id)
    except OSError as error:
        log.warning("action=model.latest_not_switched task=%s error=%r", task_id, str(error))


def finish_switch(models: Directory, manifest: Manifest) -> None:
    """Switch the link to a published model, if its manifest says so and no newer model has the link."""
    latest = latest_task(models)
    newer_s = written_at_s(models, latest) if latest else 0.0
    if manifest.promoted and written_at_s(models, manifest.task_id) >= newer_s:
        switch_latest(models, manifest.task_id)


def finish_publication(project: ProjectFolder, manifest: Manifest) -> None:
    """What an earlier attempt may have left undone that had published this model."""
    with contextlib.suppress(OSError), project.models() as models:
        finish_switch(models, manifest)


def in_use(models: Directory, finished: Sequence[FinishedModel]) -> set[str]:
    """The tasks whose models must stay: the one that latest names, and the newest promoted one of each trainType.

    finished: all finished models, the newest first.
    """
    newest: dict[str, str] = {}
    for model in finished:
        if model.manifest.promoted:
            newest.setdefault(model.manifest.train_type, model.task_id)
    return {latest_task(models), *newest.values()}
