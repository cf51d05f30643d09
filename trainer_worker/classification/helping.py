"""Helps a classification that another worker trains: computes features and puts them into the project's cache.

Whatever becomes of a helper, the training stays right: it computes all that it doesn't find in the cache.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from trainer_worker.attempt.attempt import Attempt
from trainer_worker.backbones.catalogue import find_backbone
from trainer_worker.classification.features import FeatureExtractor, PictureFeatures, View, kept_extractor
from trainer_worker.classification.order_of_help import OrderOfHelp
from trainer_worker.classification.shared_views import SharedView, checkpoint_name
from trainer_worker.classification.variations import PLAIN_VIEW, VIEWS, PictureView
from trainer_worker.pictures.decoding_budget import DecodingBudget
from trainer_worker.pictures.grey_scale import scale_of
from trainer_worker.pictures.images import PictureReader
from trainer_worker.project.feature_cache import FeatureCache

#: How often a helper looks whether the training has come to its next view.
LOOK_EVERY_S = 0.5


def help_with(attempt: Attempt, place: int) -> None:
    """Compute what the training offers, until nothing is left of the last view that it comes to.

    attempt: its reporter hears how many pictures were computed, and ends the help by raising Cancelled. place: see
    OrderOfHelp. Raises ValueError if this worker would compute other features than the training.
    """
    view, offered = _newest_offer(attempt, VIEWS)
    computed = HelpedView(attempt, view, offered).compute(place, 0)
    if view is PLAIN_VIEW:
        view, offered = _newest_offer(attempt, [view for view in VIEWS if view is not PLAIN_VIEW])
        HelpedView(attempt, view, offered).compute(place, computed)


def _newest_offer(attempt: Attempt, views: Sequence[PictureView]) -> tuple[PictureView, SharedView]:
    """The last of these views that the training has come to and offers. Waits until there is one.

    A view whose features are all in the cache is never offered.
    """
    job = attempt.job
    while True:
        for view in reversed(views):
            found = job.checkpoints.load(checkpoint_name(job.attempt, view), SharedView, ())
            if found is not None:
                return view, found[0]
        attempt.reporter.step(0.0)
        time.sleep(LOOK_EVERY_S)


class HelpedView:
    """The pictures of one view that a training has offered."""

    def __init__(self, attempt: Attempt, view: PictureView, offered: SharedView) -> None:
        job = attempt.job
        self._attempt = attempt
        self._pictures = offered.pictures
        self._reader = PictureReader(job.files, DecodingBudget(job.decoding_bytes), scale_of(offered.grey))
        self._view = view
        self._cached_as = view.name_in_cache(self._reader.grey)
        self._extractor = self._same_extractor(offered)
        self._cache = FeatureCache(job.project, offered.engine, self._extractor.shapes)

    def compute(self, place: int, computed: int) -> int:
        """Compute pictures until few are left. computed: those of earlier views. Returns those of all views."""
        order = OrderOfHelp(len(self._pictures), place, self._is_done, self._all_done)
        taken: deque[str] = deque()

        def views() -> Iterator[View]:
            for number in order:
                file, content = self._pictures[number]
                taken.append(content)
                yield self._attempt.job.project_dir / file, self._view.of(content)

        for outcome in self._extractor.of_views(self._reader, views()):
            content = taken.popleft()
            if self._cache.has(content, self._cached_as):
                order.begin_elsewhere()
            elif isinstance(outcome, PictureFeatures):  # else the training itself reports what is wrong with the file
                self._cache.save(content, self._cached_as, outcome)
                computed += 1
            self._attempt.reporter.step(0.0, pictures=computed)
        return computed

    def _same_extractor(self, offered: SharedView) -> FeatureExtractor:
        attempt = self._attempt
        backbone = find_backbone(offered.backbone, attempt.job.weights)
        extractor = kept_extractor(backbone, attempt.job.options.image_size, attempt.threads, attempt.cache_dir)
        if extractor.engine != offered.engine:
            raise ValueError(
                f"the training computes features by {offered.engine[:80]!r}, and this worker by {extractor.engine!r}; "
                "workers that help each other need the same device, weights, and versions of TFModel and TensorFlow"
            )
        return extractor

    def _is_done(self, number: int) -> bool:
        return self._cache.has(self._pictures[number][1], self._cached_as)

    def _all_done(self) -> np.ndarray:
        kept = self._cache.contents(self._cached_as)
        return np.array([content in kept for _, content in self._pictures], dtype=bool)
