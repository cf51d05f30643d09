"""The link models/latest, which names the model to use.

It is switched after a model's folder has got its final name. A worker that is killed in between leaves the link where
it was; the next attempt at the task switches it then (finish_switch).

A person may choose an earlier model as well (promotion.py). Then a second link, .chosen-<trainType>, names that model
too. It is needed once models/latest names a model of another trainType, because the next training is compared with the
model of its own trainType that came into use last. The manifests alone don't tell that one: a finished model's files
never change.
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

#: How the name of the second link begins.
CHOSEN = ".chosen-"

log = logging.getLogger(__name__)


def latest_task(models: Directory) -> str:
    """The task whose model models/latest names; "" if there is no such link."""
    return _named_by(models, LATEST)


def choose(project: ProjectFolder, models: Directory, manifest: Manifest) -> None:
    """Point models/latest to a finished model that a person has chosen. Raises OSError."""
    for link in (_chosen(manifest.train_type), LATEST):
        project.origin.point(link, manifest.task_id, even_back=True)
        models.point_link(link, manifest.task_id)
    models.sync()


def switch_latest(project: ProjectFolder, models: Directory, task_id: str) -> None:
    """Point models/latest to a model, whose name is on the disk.

    On a file system without links there is none, and the model is used by path.
    """
    try:
        if project.origin.point(LATEST, task_id, even_back=False):
            models.point_link(LATEST, task_id)
            models.sync()
    except OSError as error:
        log.warning("action=model.latest_not_switched task=%s error=%r", task_id, str(error))


def finish_switch(project: ProjectFolder, models: Directory, manifest: Manifest) -> None:
    """Switch the link to a published model, if its manifest says so and no newer model has the link."""
    models.sync()  # The attempt that has published it may have ended before it did this.
    latest = latest_task(models)
    newer_s = written_at_s(models, latest) if latest else 0.0
    if manifest.promoted and written_at_s(models, manifest.task_id) >= newer_s:
        switch_latest(project, models, manifest.task_id)


def finish_publication(project: ProjectFolder, manifest: Manifest) -> None:
    """What an earlier attempt may have left undone that had published this model."""
    with contextlib.suppress(OSError), project.models() as models:
        finish_switch(project, models, manifest)


def came_into_use(models: Directory, finished: Sequence[FinishedModel]) -> list[FinishedModel]:
    """Those of the finished models that were promoted or chosen, the one that came into use last first.

    finished: all finished models of the project.
    """
    since_s = {model.task_id: model.written_at_s for model in finished if model.manifest.promoted}
    for train_type in {model.manifest.train_type for model in finished}:
        chosen = _chosen(train_type)
        if task_id := _named_by(models, chosen):
            since_s[task_id] = max(since_s.get(task_id, 0.0), models.status(chosen).st_mtime)
    used = [model for model in finished if model.task_id in since_s]
    return sorted(used, key=lambda model: since_s[model.task_id], reverse=True)


def in_use(models: Directory, finished: Sequence[FinishedModel]) -> set[str]:
    """The tasks whose models must stay: that of latest, and of each trainType the one that came into use last.

    finished: all finished models.
    """
    last: dict[str, str] = {}
    for model in came_into_use(models, finished):
        last.setdefault(model.manifest.train_type, model.task_id)
    return {latest_task(models), *last.values()}


def _chosen(train_type: str) -> str:
    return f"{CHOSEN}{train_type}"


def _named_by(models: Directory, link: str) -> str:
    """The task whose model a link names; "" if there is no such link."""
    with contextlib.suppress(OSError):
        target = models.link_target(link)
        return target if is_task_id(target) else ""
    return ""
