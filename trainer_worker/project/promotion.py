"""A person makes an earlier model of a project the one in use.

The next training of its trainType is compared with it (gate.py).
"""

from __future__ import annotations

from collections.abc import Collection

from protocol.artifact import Artifact
from protocol.errors import is_disk_full
from protocol.promotion import Promotion
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.latest import choose
from trainer_worker.project.models import finished_and_intact
from trainer_worker.project.origin import nothing

_GONE = "so it can't be made the latest. Restore models/{task_id} from a backup, or train again."


def promote(project: ProjectFolder, task_id: str, artifacts: Collection[Artifact]) -> Promotion:
    """Point models/latest to the task's finished model, if its files are those that the journal knows.

    artifacts: these files. Nothing is changed if one of them is missing or has another hash. Doing it twice is the same
    as doing it once.
    """
    try:
        with project.models() as models, models.locked() as is_locked:
            if not is_locked:
                return _failed("Old models of this project are being removed just now; try again in a moment.")
            try:
                project.origin.bring_model(task_id, nothing)
                with models.folder(task_id) as folder:
                    manifest = finished_and_intact(folder, task_id)
            except (FileNotFoundError, NotADirectoryError):
                return _changed(f"The model has been removed from the project, {_GONE.format(task_id=task_id)}")
            if manifest is None or not set(artifacts) <= set(manifest.artifacts):
                return _changed(
                    "The files of the model are no longer the ones that the training has written, "
                    + _GONE.format(task_id=task_id)
                )
            choose(project, models, manifest)
    except FileNotFoundError:
        return _changed(f"The project has no models/ any more, {_GONE.format(task_id=task_id)}")
    except OSError as error:
        return _failed(_sentence(project, error))
    return Promotion()


def _sentence(project: ProjectFolder, error: OSError) -> str:
    reason = project.failure(error)
    if reason is None or is_disk_full(error):
        return f"models/latest can't be switched: {error.strerror or type(error).__name__}. Tell the operator."
    return reason.error


def _changed(sentence: str) -> Promotion:
    return Promotion("model_changed", sentence)


def _failed(sentence: str) -> Promotion:
    return Promotion("promote_failed", sentence)
