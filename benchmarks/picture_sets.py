"""A set of pictures in classes, from which projects with the caller's own split (train/ and test/) are laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from benchmarks.linked_folders import folder_hash, link_or_copy
from benchmarks.picture_draws import UNUSED, Form
from trainer_worker.classification.folders import ClassFolders, scan_class_folders
from trainer_worker.pictures.batches import Batching, read_batches
from trainer_worker.pictures.contents import content_hashes
from trainer_worker.pictures.copies import find_copies
from trainer_worker.pictures.images import WHOLE, UnreadableImageError
from trainer_worker.pictures.likeness import thumbnail
from trainer_worker.pictures.splits import conflicts
from trainer_worker.pictures.user_files import UserFiles

#: Copies are looked for at the trainer's default size.
SIDE_PX = 224
BATCH, THREADS = 32, 2


@dataclass(frozen=True)
class PictureSet:
    """photo_of: for pictures that were cut out of photos, by their path in the folder, the photo's name."""

    name: str
    folder: Path
    photo_of: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def folders(self) -> ClassFolders:
        return scan_class_folders(UserFiles.at(self.folder))

    @cached_property
    def content(self) -> str:
        """A hash of the files: results of two sets with the same content are comparable."""
        return folder_hash(self.folder)

    @cached_property
    def units(self) -> np.ndarray:
        """A number for each picture, int64 (n,); those with the same number must not both train and score.

        They are copies, a series of one object (see trainer_worker/pictures/copies.py), or come from one photo. Files
        that can't be read, and pictures that stand in several classes, which would score at random, are UNUSED.
        """
        folders = self.folders
        thumbnails, unreadable = self._thumbnails()
        names = [folders.name_of(row) for row in range(len(folders.files))]
        copies = find_copies(names, content_hashes(folders.reader.files, folders.files), thumbnails)
        units = _joined(copies.together, [self.photo_of.get(name, name) for name in names])
        for rows in conflicts(copies.same_look, folders.classes):
            units[rows] = UNUSED
        units[unreadable] = UNUSED
        return units

    def lay_out(self, form: Form, seed: int, project: Path) -> None:
        """Fill project/train/ and project/test/ with class folders."""
        split = form.draw(self.folders.classes, self.units, seed)
        for part, rows in (("train", split.train), ("test", split.held_out)):
            for row in rows.tolist():
                path = self.folders.files[row]
                target = project / part / self.folders.labels[self.folders.classes[row]] / path.name
                link_or_copy(path, target.with_name(f"{row}_{path.name}") if target.exists() else target)

    def _thumbnails(self) -> tuple[np.ndarray, list[int]]:
        """Thumbnails uint8 (n, 16, 16, 3), and the rows of files that can't be read."""
        unreadable: list[int] = []

        def note(row: int, error: UnreadableImageError) -> None:
            unreadable.append(row)

        wanted = [(path, WHOLE) for path in self.folders.files]
        batches = read_batches(self.folders.reader, wanted, Batching((SIDE_PX, SIDE_PX), BATCH, THREADS), note)
        found = {row: thumbnail(picture) for rows, pixels in batches for row, picture in zip(rows, pixels, strict=True)}
        blank = np.zeros_like(next(iter(found.values())))
        return np.stack([found.get(row, blank) for row in range(len(wanted))]), unreadable


def _joined(groups: np.ndarray, photos: list[str]) -> np.ndarray:
    """The groups of rows that share a group or a photo, int64 (n,)."""
    count = len(photos)
    of_photo = np.unique(photos, return_inverse=True)[1]
    rows = np.tile(np.arange(count), 2)
    owners = np.concatenate([groups, groups.max() + 1 + of_photo]) + count
    size = int(owners.max()) + 1
    _, joined = connected_components(coo_array((np.ones(2 * count, np.int8), (rows, owners)), (size, size)), False)
    units: np.ndarray = joined[:count].astype(np.int64)
    return units
