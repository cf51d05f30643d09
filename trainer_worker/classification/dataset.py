"""Reads a classifier's pictures into features."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import time
from collections.abc import Callable, Generator
from typing import NamedTuple

import numpy as np

from trainer_worker.classification.cached_features import CachedFeatures
from trainer_worker.classification.features import Outcome, PictureFeatures
from trainer_worker.classification.folders import ClassFolders, keep_trainable
from trainer_worker.classification.variations import PictureView
from trainer_worker.pictures.contents import content_hashes
from trainer_worker.pictures.images import UnreadableImageError
from trainer_worker.pictures.user_files import SkippedFile

#: This many pictures of each class are read however short the time is. Fewer hardly make a model.
LEAST_READ_OF_CLASS = 8


class FeatureView(NamedTuple):
    """One view of each of n pictures.

    maps: their trunk maps, float32 (n, h, w, c). pooled: their pooled features, float32 (n, f); see PictureFeatures.
    """

    maps: np.ndarray
    pooled: np.ndarray

    def of(self, rows: np.ndarray | slice) -> FeatureView:
        """The view of these pictures only."""
        return FeatureView(self.maps[rows], self.pooled[rows])


@dataclasses.dataclass(frozen=True)
class LabelledFeatures:
    """The features and classes of the n pictures that may be trained on.

    views: first the plain pictures, then their varied views. classes: int64 (n,).
    """

    views: tuple[FeatureView, ...]
    classes: np.ndarray

    def pooled_views(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The pooled features of these rows in all views, float32 (rows * views, features), and their classes."""
        pooled = np.concatenate([view.pooled[rows] for view in self.views])
        return pooled, np.tile(self.classes[rows], len(self.views))


@dataclasses.dataclass(frozen=True)
class Dataset:
    """The results of the feature stage, for n pictures.

    contents: the SHA-256 of each picture's file. plain: the features of the whole pictures. thumbnails: uint8
    (n, 16, 16, 3). unreadable: files that could not be read. unread: the number of files that there was no time for.
    """

    folders: ClassFolders
    contents: list[str]
    plain: FeatureView
    thumbnails: np.ndarray
    unreadable: list[SkippedFile]
    unread: int = 0

    @property
    def skipped(self) -> list[SkippedFile]:
        """All files that could be pictures, and are not used."""
        return [*self.folders.skipped, *self.unreadable]

    def set_aside(self) -> str:
        """A hash of the pictures that the caller's own split keeps from training; "" where there is none.

        Weights that were trained on one of them must not be used to go on.
        """
        given = self.folders.callers_split()
        if given is None:
            return ""
        kept = sorted(self.contents[row] for row in np.setdiff1d(np.arange(len(self.contents)), given[0]))
        return hashlib.sha256("".join(kept).encode()).hexdigest()


def read_dataset(
    folders: ClassFolders,
    features: CachedFeatures,
    on_done: Callable[[int], None],
    until_s: float = math.inf,
) -> Dataset:
    """Read every readable picture of every class that has enough of them; rows are in the order of folders.

    until_s: the monotonic time at which reading ends. The pictures read by then are spread evenly over the classes.
    on_done: called with the number of pictures done so far, and several times a second while files are hashed. An
    exception from it ends the reading.
    Raises what keep_trainable raises.
    """
    order = np.arange(len(folders.files)) if until_s == math.inf else balanced_order(folders.classes)
    least = LEAST_READ_OF_CLASS * len(folders.labels)
    files = [folders.files[row] for row in order]
    contents = content_hashes(folders.reader.files, files, lambda _: on_done(0))
    found: dict[int, PictureFeatures] = {}
    unreadable: dict[int, UnreadableImageError] = {}
    with contextlib.closing(features.of_files(folders.reader, files, contents)) as outcomes:
        for done, (row, outcome) in enumerate(zip(order.tolist(), outcomes, strict=False), start=1):
            if isinstance(outcome, UnreadableImageError):
                unreadable[row] = outcome
            else:
                found[row] = outcome
            on_done(done)
            if done >= least and time.monotonic() >= until_s:
                break
    looked_at = np.sort(order[: len(found) + len(unreadable)])
    position = {row: place for place, row in enumerate(looked_at.tolist())}
    kept = keep_trainable(folders.only(looked_at), {position[row]: error for row, error in unreadable.items()})
    content_of = dict(zip(files, contents, strict=True))
    features_of = {folders.files[row]: outcome for row, outcome in found.items()}
    rows = [features_of[path] for path in kept.files]
    name_of = folders.reader.files.name_of
    return Dataset(
        kept,
        [content_of[path] for path in kept.files],
        FeatureView(np.stack([row.trunk for row in rows]), np.stack([row.pooled for row in rows])),
        np.stack([row.thumbnail for row in rows]).astype(np.uint8),
        [SkippedFile(name_of(error.path), error.reason) for error in unreadable.values()],
        len(order) - len(looked_at),
    )


def balanced_order(classes: np.ndarray) -> np.ndarray:
    """All rows, int64: first one random picture of each class, then a second one of each class, and so on.

    classes: int64 (n,). The same classes give the same order.
    """
    random = np.random.default_rng(0)
    shuffled = random.permutation(len(classes))
    turn = np.zeros(len(classes), dtype=np.int64)  # the position of each row within its class
    for label in np.unique(classes):
        rows = shuffled[classes[shuffled] == label]
        turn[rows] = np.arange(len(rows))
    return shuffled[np.argsort(turn[shuffled], kind="stable")]


def features_of_rows(
    data: Dataset, rows: np.ndarray, view: PictureView, features: CachedFeatures
) -> Generator[Outcome, None, None]:
    """The features of this view of these rows' pictures, in order."""
    files, contents = [data.folders.files[row] for row in rows], [data.contents[row] for row in rows]
    return features.of_files(data.folders.reader, files, contents, view)


def varied_view(
    data: Dataset,
    rows: np.ndarray,
    features: Generator[Outcome, None, None],
    on_done: Callable[[int], None],
    until_s: float = math.inf,
) -> FeatureView:
    """A copy of the plain view in which these rows have other features; see features_of_rows.

    until_s: as in read_dataset. Pictures that were not reached by then keep their plain view.
    """
    view = FeatureView(data.plain.maps.copy(), data.plain.pooled.copy())
    with contextlib.closing(features) as outcomes:
        for done, (row, outcome) in enumerate(zip(rows, outcomes, strict=False), start=len(data.contents) + 1):
            if isinstance(outcome, PictureFeatures):  # else the file has gone meanwhile, and its plain view is used
                view.maps[row], view.pooled[row] = outcome.trunk, outcome.pooled
            on_done(done)
            if time.monotonic() >= until_s:
                break
    return view
