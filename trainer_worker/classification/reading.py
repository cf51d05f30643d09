"""Reads a project's pictures into features, within the time budget, and tells the reporter how far it is."""

from __future__ import annotations

import numpy as np

from protocol.data_report import Finding
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.time_budget import READING_SHARE
from trainer_worker.classification.cached_features import CachedFeatures
from trainer_worker.classification.dataset import Dataset, FeatureView, features_of_rows, read_dataset, varied_view
from trainer_worker.classification.folders import ClassFolders
from trainer_worker.classification.variations import MIRRORED_PART, PART
from trainer_worker.layouts.mirroring import may_mirror, mirror_findings

#: Varied views are trained on if their maps take no more memory (docs/choices.md, "Views of a picture in memory").
VARY_UP_TO_BYTES = 256 * 1024**2


class Reading:
    """The reading of one project: first the plain views of all pictures, then varied views of those that train."""

    def __init__(self, folders: ClassFolders, features: CachedFeatures, attempt: Attempt) -> None:
        self._folders, self._features = folders, features
        self._reporter = attempt.reporter
        self._mirror = attempt.job.options.mirror
        self._views = len(folders.files) * (2 - attempt.job.options.validation_split)
        self._until_s = attempt.budget.by_s(READING_SHARE)
        #: Whether `views` has given mirrored pictures, and what their owner should know of that.
        self.is_mirrored = False
        self.findings: list[Finding] = []

    def read(self) -> Dataset:
        """The plain views. Raises what read_dataset raises."""
        return read_dataset(self._folders, self._features, self._on_done, self._until_s)

    def views(self, data: Dataset, rows: np.ndarray) -> tuple[FeatureView, ...]:
        """The views to train on: the plain one, and the varied one if there is room for its maps.

        rows: the pictures that any model trains on.
        """
        if data.plain.maps.nbytes > VARY_UP_TO_BYTES:
            return (data.plain,)
        labels = data.folders.labels
        self.is_mirrored, self.findings = may_mirror(labels, self._mirror), mirror_findings(labels, self._mirror)
        view = MIRRORED_PART if self.is_mirrored else PART
        features = features_of_rows(data, rows, view, self._features)
        return data.plain, varied_view(data, rows, features, self._on_done, self._until_s)

    def _on_done(self, done: int) -> None:
        self._reporter.step(min(1.0, (done + self._features.done_ahead) / self._views))
