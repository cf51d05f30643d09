"""What has changed in a folder since its last model: told in the report, and kept for the next task."""

from __future__ import annotations

import contextlib

from protocol.data_report import Finding
from protocol.errors import TrainingError
from trainer_worker.attempt.job import Job
from trainer_worker.project.trained_pictures import (
    SeenPicture,
    news_finding,
    recall_pictures,
    remember_pictures,
    seen_pictures,
    what_is_new,
)
from trainer_worker.project.unchanged import FolderContents
from trainer_worker.publishing.kind import Kind


class FolderChanges:
    """The pictures of one attempt's folder beside those of the folder's last model.

    A folder whose layout is not recognised has no pictures here; the trainer says why. Pictures inside archives are
    not compared.
    """

    def __init__(self, kind: Kind, job: Job, folder: FolderContents) -> None:
        self._job, self._folder = job, folder
        self._seen: dict[str, SeenPicture] = {}
        with contextlib.suppress(TrainingError):
            self._seen = seen_pictures(folder.tree, kind.recognise(folder.tree))

    def findings(self) -> list[Finding]:
        """What is new since the last model; [] where there is none, or where nothing is known of it."""
        before = recall_pictures(self._job.project, self._job.train_type)
        if before is None or not self._seen:
            return []
        hashes = self._folder.hashes
        news = what_is_new(before, self._seen, lambda paths: [hashes.get(path, "") for path in paths], hashes)
        return [news_finding(before, news)]

    def remember(self) -> None:
        """Keep the pictures for the next task, once this one has its model."""
        job = self._job
        remember_pictures(job.project, (job.task_id, job.train_type), self._seen, self._folder.hashes)
