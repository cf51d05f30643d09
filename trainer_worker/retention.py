"""What is removed from a project folder, and when (no TensorFlow)."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

from trainer_worker.artifacts import LATEST, finished_models
from trainer_worker.checkpoints import checkpoints_of
from trainer_worker.feature_cache import trim_features

#: Left-overs of attempts that nobody took up again.
STALE_AFTER_S = 7 * 86_400.0


def discard_task(project_dir: Path, task_id: str) -> None:
    """A cancelled task leaves nothing: no model, nothing half-written, no checkpoint."""
    models = project_dir / "models"
    for folder in (models / task_id, *models.glob(f".{task_id}.*.partial")):
        shutil.rmtree(folder, ignore_errors=True)
    checkpoints_of(project_dir, task_id).clear()
    latest = models / LATEST
    with contextlib.suppress(OSError):
        if latest.is_symlink() and latest.readlink() == Path(task_id):
            latest.unlink()
            _point_at_newest(models)


def tidy_project(project_dir: Path, keep_models: int) -> None:
    """Remove finished models beyond the `keep_models` newest (0: keep all), what is half-written and stale, and
    features beyond their limit.
    """
    trim_features(project_dir)
    models = project_dir / "models"
    if keep_models:
        for folder in finished_models(models)[keep_models:]:
            shutil.rmtree(folder, ignore_errors=True)
    stale_before_s = time.time() - STALE_AFTER_S
    for folder in (*models.glob(".*.partial"), *project_dir.glob(".tfmodel/tasks/*")):
        with contextlib.suppress(OSError):
            if folder.stat().st_mtime < stale_before_s:
                shutil.rmtree(folder, ignore_errors=True)


def _point_at_newest(models: Path) -> None:
    newest = next(iter(finished_models(models)), None)
    if newest is not None:
        (models / LATEST).symlink_to(newest.name, target_is_directory=True)
