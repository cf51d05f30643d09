"""The features of a project's pictures, from its cache or else computed and cached."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from trainer_worker.classification.features import FeatureExtractor, Outcome, PictureFeatures, View
from trainer_worker.classification.shared_views import SharedViews
from trainer_worker.classification.variations import PLAIN_VIEW, PictureView
from trainer_worker.pictures.images import PictureReader
from trainer_worker.project.feature_cache import FeatureCache
from trainer_worker.project.folder import ProjectFolder


class CachedFeatures:
    """Looks into the cache shortly before it computes a picture, since other workers may fill the cache meanwhile."""

    def __init__(self, extractor: FeatureExtractor, project: ProjectFolder, shared: SharedViews | None = None) -> None:
        """shared: lets other workers help; None if they are not to."""
        self._extractor = extractor
        self._cache = FeatureCache(project, extractor.engine, extractor.shapes)
        self._shared = shared

    @property
    def done_ahead(self) -> int:
        """How many pictures other workers have computed that `of_files` has not reached yet."""
        return self._shared.done_ahead if self._shared is not None else 0

    def of_files(
        self, reader: PictureReader, paths: Sequence[Path], contents: Sequence[str], view: PictureView = PLAIN_VIEW
    ) -> Generator[Outcome, None, None]:
        """The features of this view of each path, in order. contents: the SHA-256 of each file, or ""."""
        cached_as = view.name_in_cache(reader.grey)
        if self._shared is not None:
            self._shared.offer(self._cache, view, reader, list(zip(paths, contents, strict=True)))
        #: The pictures that the extractor has taken or passed by and that are not yielded yet.
        looked_at: deque[tuple[str, PictureFeatures | None]] = deque()

        def missing() -> Iterator[View]:
            for path, content in zip(paths, contents, strict=True):
                arrays = self._cache.load(content, cached_as) if content else None
                looked_at.append((content, PictureFeatures(*arrays) if arrays else None))
                if arrays is None:
                    yield path, view.of(content)

        with contextlib.closing(self._extractor.of_views(reader, missing())) as computed:
            for outcome in computed:
                yield from self._found(looked_at)
                content, _ = looked_at.popleft()
                if content and isinstance(outcome, PictureFeatures):
                    self._cache.save(content, cached_as, outcome)
                yield self._passed(content, outcome)
            yield from self._found(looked_at)

    def _found(self, looked_at: deque[tuple[str, PictureFeatures | None]]) -> Iterator[Outcome]:
        """What the cache had, up to the next picture that it didn't have."""
        while looked_at and (features := looked_at[0][1]) is not None:
            yield self._passed(looked_at.popleft()[0], features)

    def _passed(self, content: str, outcome: Outcome) -> Outcome:
        if self._shared is not None:
            self._shared.passed(content)
        return outcome
