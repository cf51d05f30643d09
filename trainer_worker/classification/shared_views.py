"""What other workers may compute of a training's features, and how much of it they have done.

The list of pictures lies beside the checkpoints of the task, for helpers to read (helping.py). It names all that a
helper has to know, so a helper decides nothing by itself: neither what the folder means, nor which pictures train.
"""

from __future__ import annotations

import posixpath
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.options import ClassificationOptions
from protocol.text import as_utf8
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job
from trainer_worker.classification.variations import PictureView
from trainer_worker.pictures.images import PictureReader
from trainer_worker.project.feature_cache import FeatureCache

#: With fewer pictures left to compute, helpers would hardly have begun before all is done.
LEAST_SHARED = 200
#: How often the training looks how far the helpers are. To list the cache of 100,000 pictures takes 0.1 s.
LOOK_EVERY_S = 2.0

_Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
_FileName = Annotated[str, Meta(min_length=1, max_length=4096)]


class SharedView(msgspec.Struct, frozen=True):
    """The pictures of one view that were not in the cache when the training came to it, in its order.

    engine: see FeatureExtractor.engine. grey: see GreyScale.facts. pictures: the name of each file below the project
    folder, and its SHA-256.
    """

    engine: str
    backbone: str
    grey: dict[str, float]
    pictures: tuple[tuple[_FileName, _Sha256], ...]

    def __post_init__(self) -> None:
        for name, _ in self.pictures:
            if posixpath.isabs(name) or ".." in name.split("/"):
                raise ValueError(f"{name[:80]!r} is no name below the project folder")


def checkpoint_name(attempt: int, view: PictureView) -> str:
    """Under which name the list of a view is kept. A later attempt may find other pictures in the folder."""
    return f"shared-{attempt}-{view.name}"


class SharedViews:
    """Offers the views of one attempt to helpers."""

    def __init__(self, attempt: Attempt, backbone: str, pictures: int) -> None:
        """backbone: its name. pictures: how many the folder has."""
        self._attempt = attempt
        self._backbone = backbone
        self._most_helpers = most_helpers(attempt.job, pictures)
        self._cache: FeatureCache | None = None
        self._cached_as = ""
        self._left: set[str] = set()
        self._ahead: set[str] = set()
        self._next_look_s = 0.0

    @property
    def done_ahead(self) -> int:
        """How many pictures helpers have computed that the training has not reached yet."""
        return len(self._ahead)

    def offer(
        self, cache: FeatureCache, view: PictureView, reader: PictureReader, files: Sequence[tuple[Path, str]]
    ) -> None:
        """Say which pictures of this view are wanted, and ask for helpers. files: paths and contents, in order."""
        self._cache = None
        self._ahead.clear()
        if not self._most_helpers:
            return
        cached_as = view.name_in_cache(reader.grey)
        kept = cache.contents(cached_as)
        missing = {content: path for path, content in reversed(files) if content and content not in kept}
        wanted = [(_name_of(reader, path), content) for content, path in reversed(missing.items())]
        shown = tuple((name, content) for name, content in wanted if name)
        if len(shown) < LEAST_SHARED:
            self._attempt.reporter.want_helpers(0)
            return
        offered = SharedView(cache.engine, self._backbone, reader.grey.facts, shown)
        job = self._attempt.job
        job.checkpoints.save(checkpoint_name(job.attempt, view), offered, ())
        self._cache, self._cached_as, self._left = cache, cached_as, set(missing)
        self._attempt.reporter.want_helpers(self._most_helpers)

    def passed(self, content: str) -> None:
        """The training has the features of this picture. Looks from time to time how far the helpers are."""
        if self._cache is None:
            return
        self._left.discard(content)
        self._ahead.discard(content)
        now_s = time.monotonic()
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + LOOK_EVERY_S
            self._ahead = self._left & self._cache.contents(self._cached_as)


def most_helpers(job: Job, pictures: int) -> int:
    """How many other workers this training can use.

    Pictures that were unpacked from archives are in a folder of this worker alone, so nobody can help with them.
    """
    options = job.options
    if not isinstance(options, ClassificationOptions) or job.unpacked is not None:
        return 0
    return options.workers - 1 if pictures > job.share_above_pictures else 0


def _name_of(reader: PictureReader, path: Path) -> str:
    """The name of a file as a list can hold it; "" for one with bytes that are no text."""
    name = reader.files.name_of(path)
    return name if as_utf8(name) == name else ""
